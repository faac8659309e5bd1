import type { Context } from '../context.ts';

const KEY = 'schedules:latestWrite';
/** The time is written anew once it is so old. */
const PRECISION_MS = 10_000;
/** The clocks of machines differ by so much without harm. */
const SKEW_MS = 1_000;

/**
 * The wall time at which a schedule was last written, kept in the store: where it is to come, some may have been put off by a clock that was
 * ahead, and else nobody has to look through them all.
 */
export class LatestWrite {
  readonly #context: Context;
  #kept = Number.NaN;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether it is still to come, or not known. */
  async isAhead(): Promise<boolean> {
    const { now, at } = await this.#read();
    return at === undefined || at > now + SKEW_MS;
  }

  /** To be called before a write. True where the last one is still to come: that stays known until {@link reset}. */
  async keep(): Promise<boolean> {
    const since = this.#context.clock.now() - this.#kept;
    if (since > -SKEW_MS && since < PRECISION_MS) return false;
    const { now, at, version } = await this.#read();
    if (at !== undefined && at > now + SKEW_MS) return true;
    await this.#write(now, version);
    return false;
  }

  /** All that was put off has been brought back. */
  async reset(): Promise<void> {
    const { now, version } = await this.#read();
    await this.#write(now, version);
  }

  async #read() {
    const { clock, backend } = this.#context;
    const now = clock.now();
    const found = await backend.shared.get({ key: KEY, now });
    const at = typeof found?.value === 'number' ? found.value : undefined;
    return { now, at, version: found?.version ?? 0 };
  }

  /** Where another process was faster, its time stands, and the next write looks again. */
  async #write(now: number, ifVersion: number): Promise<void> {
    const { shared } = this.#context.backend;
    const version = await shared.set({ key: KEY, value: now, expiresAt: null, now, ifVersion });
    if (version !== undefined) this.#kept = now;
  }
}
