import PQueue from 'p-queue';

/** Calls under way in the whole process. */
export interface ProcessLimit {
  readonly max: number;
  inUse: number;
}

/**
 * The limit on calls of one zone. A permit is taken before a request is claimed and given back after the call; p-queue
 * runs only calls that hold permits, so its waiting list stays empty.
 */
export class Bulkhead {
  readonly #runner: PQueue;
  readonly #process: ProcessLimit;
  #inUse = 0;

  constructor(maxConcurrency: number, process: ProcessLimit) {
    this.#runner = new PQueue({ concurrency: maxConcurrency });
    this.#process = process;
  }

  /** Permits that could be taken now. */
  get available(): number {
    return Math.min(this.#runner.concurrency - this.#inUse, this.#process.max - this.#process.inUse);
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** Takes up to `wanted` permits and says how many it got. */
  take(wanted: number): number {
    const taken = Math.max(0, Math.min(wanted, this.available));
    this.#inUse += taken;
    this.#process.inUse += taken;
    return taken;
  }

  giveBack(permits: number): void {
    this.#inUse -= permits;
    this.#process.inUse -= permits;
  }

  /** Runs a call that holds a permit. The call gives the permit back itself, as soon as the wire is free. */
  run(call: () => Promise<void>): Promise<void> {
    return this.#runner.add(call);
  }
}
