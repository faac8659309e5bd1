/** As many requests are told apart; those that failed the longest ago are forgotten first. */
const MOST = 256;
/** So often a request has failed while others were served before it is taken to be at fault itself. */
const TELLING = 2;

interface Known {
  /** Failures with a success of others since the one before. */
  readonly times: number;
  /** Successes of others until the latest of them. */
  readonly served: number;
}

/**
 * Which requests fail again and again in a zone that serves others. What fails because of itself says nothing of the zone, and each
 * time it says so again: few of these would close the zone for all, as soon as it is open. While nothing is served, everything counts.
 */
export class KnownFailures {
  readonly #known = new Map<string, Known>();
  #served = 0;
  /** The request that was the latest to show anything, if that was a failure. */
  #failedLast: string | undefined;

  succeeded(requestId: string): void {
    this.#served += 1;
    this.#failedLast = undefined;
    if (this.#known.size > 0) this.#known.delete(requestId);
  }

  /** Notes a failure, and tells whether it says nothing new. */
  failed(requestId: string): boolean {
    const before = this.#known.get(requestId);
    const isRepeated = this.#failedLast === requestId;
    this.#failedLast = requestId;
    const isServed = before === undefined || before.served < this.#served;
    const times = before?.times ?? 0;
    if (isServed) this.#note(requestId, { times: times + 1, served: this.#served });
    return isRepeated || (isServed && times >= TELLING);
  }

  #note(requestId: string, known: Known): void {
    // Behind all others, which failed before it.
    this.#known.delete(requestId);
    this.#known.set(requestId, known);
    const [oldest = requestId] = this.#known.keys();
    if (this.#known.size > MOST) this.#known.delete(oldest);
  }
}
