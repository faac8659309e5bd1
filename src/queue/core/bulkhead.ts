import PQueue from 'p-queue';

/** Calls under way in the whole process. */
export interface ProcessLimit {
  readonly max: number;
  inUse: number;
  /** Those that found it used up, whosever calls use it. */
  readonly sleepers: Set<{ wake(): void }>;
}

/**
 * Calls of one scope under way. A permit is taken before a request is claimed and given back after the call; p-queue
 * runs only calls that hold permits, so its waiting list stays empty.
 */
export class Bulkhead {
  readonly #runner: PQueue;
  readonly #process: ProcessLimit | null;
  #inUse = 0;

  /** `process`: what its permits count against as well; null where another bulkhead of the same calls does that. */
  constructor(maxConcurrency: number, process: ProcessLimit | null) {
    this.#runner = new PQueue({ concurrency: maxConcurrency });
    this.#process = process;
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** Permits that could be taken now under a limit of `limit` calls; may be negative after the limit was lowered. */
  room(limit: number): number {
    const own = limit - this.#inUse;
    return this.#process === null ? own : Math.min(own, this.#process.max - this.#process.inUse);
  }

  take(permits: number): void {
    this.#inUse += permits;
    if (this.#process !== null) this.#process.inUse += permits;
  }

  giveBack(permits: number): void {
    this.take(-permits);
    if (this.#process === null || this.#process.sleepers.size === 0) return;
    for (const sleeper of this.#process.sleepers) sleeper.wake();
    this.#process.sleepers.clear();
  }

  /** Whoever finds the process at its limit is woken by the next permit that comes back, also of another zone. */
  awaitProcess(sleeper: { wake(): void }): void {
    if (this.#process !== null && this.#process.inUse >= this.#process.max) this.#process.sleepers.add(sleeper);
  }

  /** Runs a call that holds a permit. The call gives the permit back itself, as soon as the wire is free. */
  run(call: () => Promise<void>): Promise<void> {
    return this.#runner.add(call);
  }

  resize(maxConcurrency: number): void {
    this.#runner.concurrency = maxConcurrency;
  }
}
