import { PROBE_TIMEOUT_MS } from '../../strategies/connectivity.ts';
import type { Context } from '../context.ts';
import type { Channel } from './Channel.ts';
import type { Gates } from './Gates.ts';

/** Leases remembered beyond their time. */
const MOST_LAPSED = 100;

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

  /**
   * Whoever goes on after this process need not wait for what it has leased: also for what has lapsed by our clock, as the store may go by
   * another.
   */
  async stop(): Promise<void> {
    const { backend, worker } = this.#context;
    const keys = [...this.#held.keys()];
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
      this.#remember(lease.key);
      return true;
    } catch {
      logger.debug('the lease of a probe could not be asked for', { channel: probed.scope });
      return true;
    }
  }

  #remember(key: string): void {
    const now = this.#context.clock.monotonicNow();
    if (this.#held.size > MOST_LAPSED) for (const [one, until] of this.#held) if (until <= now) this.#held.delete(one);
    this.#held.set(key, now + PROBE_TIMEOUT_MS);
  }
}
