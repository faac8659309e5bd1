import { PROBE_TIMEOUT_MS } from '../../strategies/connectivity.ts';
import type { Context } from '../context.ts';
import type { Channel } from './Channel.ts';
import type { Gates } from './Gates.ts';

/** A question whether what calls go by works again. */
interface Asked {
  readonly via: Channel;
  readonly isProbe: boolean;
}

/**
 * One process at a time finds out for all that share a store: a probe is leased there, in shared state. Where the store cannot be
 * asked, each is on its own.
 */
export class ProbeLeases {
  readonly #context: Context;
  /** Leases this process has had, and until when (monotonic ms). */
  readonly #held = new Map<string, number>();

  readonly #hear: (gates: Gates) => Promise<void>;

  /** `hear`: looks what others found out about gates, which may close them. */
  constructor(context: Context, hear: (gates: Gates) => Promise<void>) {
    this.#context = context;
    this.#hear = hear;
  }

  /** Those that may be asked; `refused` hears of the others. Without probes, or where the store is ours alone, nothing is asked. */
  async granted<T extends Asked>(asked: readonly T[], refused: (one: T) => void): Promise<readonly T[]> {
    if (!this.#context.backend.capabilities.shared || !asked.some(({ isProbe }) => isProbe)) return asked;
    const granted: T[] = [];
    for (const one of asked) {
      if (!one.isProbe || (await this.#isMine(one.via))) granted.push(one);
      else refused(one);
    }
    return granted;
  }

  /** Whoever goes on after this process need not wait for what it has leased. */
  async stop(): Promise<void> {
    const { backend, clock, worker } = this.#context;
    const now = clock.monotonicNow();
    const keys = [...this.#held].filter(([, until]) => until > now).map(([key]) => key);
    this.#held.clear();
    await Promise.all(keys.map((key) => backend.shared.release({ key, holder: worker })));
  }

  async #isMine(via: Channel): Promise<boolean> {
    const { backend, clock, worker, logger } = this.#context;
    const now = clock.now();
    const probed = via.probed(clock.monotonicNow());
    const lease = { key: `probe:${probed.scope}`, holder: worker, permits: 1, now, expiresAt: now + PROBE_TIMEOUT_MS };
    try {
      if (!(await backend.shared.acquire(lease))) return false;
      await this.#hear(probed);
      if (probed.breaker?.status(clock.monotonicNow()) === 'open') {
        await backend.shared.release(lease);
        return false;
      }
      this.#held.set(lease.key, clock.monotonicNow() + PROBE_TIMEOUT_MS);
      return true;
    } catch {
      logger.debug('the lease of a probe could not be asked for', { channel: probed.scope });
      return true;
    }
  }
}
