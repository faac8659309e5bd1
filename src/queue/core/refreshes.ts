import type { AuthProvider } from '../types/auth.ts';
import type { Context } from './context.ts';
import { messageOf } from './tell.ts';
import { within } from './within.ts';

/** How long to wait before the lease is asked for again. */
const ASK_AGAIN_MS = 50;

/**
 * Renews credentials one at a time: for all that were refused together in this process, and by lease across processes that share the backend,
 * since a refresh token may be good for one use. Who had to wait asks its provider all the same: where the new token is kept is the provider's
 * affair, and one that looks there first finds it.
 */
export class Refreshes {
  readonly #context: Context;
  readonly #running = new Map<AuthProvider, Promise<boolean>>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether there is another credential now. `name`: whose it is, the same in all processes. Rejects with what the provider threw. */
  renew(provider: AuthProvider, version: number, name: string): Promise<boolean> {
    const running = this.#running.get(provider);
    if (running !== undefined) return running;
    const begun = this.#renew(provider, version, name).finally(() => this.#running.delete(provider));
    this.#running.set(provider, begun);
    return begun;
  }

  async #renew(provider: AuthProvider, version: number, name: string): Promise<boolean> {
    const { clock, config } = this.#context;
    const key = `refresh:${name}`;
    const isMine = await this.#take(key);
    try {
      const refreshed = Promise.resolve(provider.refresh?.(version) ?? false);
      return await within(clock, config.attemptTimeoutMs, 'the refresh of a credential', refreshed);
    } finally {
      if (isMine) await this.#giveBack(key);
    }
  }

  /** False when nobody gave it up in time, or the store does not answer: then it goes on without. */
  async #take(key: string): Promise<boolean> {
    const { backend, clock, config, logger, worker } = this.#context;
    const until = clock.monotonicNow() + config.attemptTimeoutMs;
    try {
      for (;;) {
        const now = clock.now();
        const expiresAt = now + config.attemptTimeoutMs;
        if (await backend.shared.acquire({ key, holder: worker, permits: 1, now, expiresAt })) return true;
        if (clock.monotonicNow() >= until) return false;
        await new Promise<void>((resolve) => clock.schedule(ASK_AGAIN_MS, resolve));
      }
    } catch (error) {
      logger.warn('a credential is refreshed without a lease', { key, error: messageOf(error) });
      return false;
    }
  }

  async #giveBack(key: string): Promise<void> {
    const { backend, logger, worker } = this.#context;
    try {
      await backend.shared.release({ key, holder: worker });
    } catch (error) {
      logger.warn('the lease of a refresh was not given back and lapses', { key, error: messageOf(error) });
    }
  }
}
