/** What a retry costs: a call that timed out occupied the server longest; where the server named a time, it expects the retry. */
export type RetryKind = 'transient' | 'timeout' | 'throttled';

export interface RetryBudgetOptions {
  /** What it holds at most, and at first. */
  readonly tokens: number;
  /** So many retries are let through in any case. */
  readonly perMinute: number;
  /** No retry is put off longer: a zone that recovers early is not to wait for retries parked one behind the other. */
  readonly maxDeferMs: number;
  /** It ran out: once, until half of the tokens are back. */
  readonly exhausted?: (() => void) | undefined;
}

const COSTS: Readonly<Record<RetryKind, number>> = Object.freeze({ transient: 5, timeout: 10, throttled: 1 });
const MINUTE_MS = 60_000;
/** Of how many retries the costs are remembered; then those of half of them. */
const REMEMBERED = 64;
/** Multiples of it, without their whole parts, lie evenly between 0 and 1 however many there are. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Spares a zone that fails the retries of everybody at once. Retries are paid for, successes earn; where nothing is left a retry is put off and
 * never refused. Those put off get a place each, one behind the other at the pace of `perMinute`; when the last place that is not
 * too late is taken, the rest is spread evenly over the same time.
 */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  readonly #betweenMs: number;
  #tokens: number;
  /** Retries that have not succeeded, and what was paid for them: more is never given back. */
  #retries = 0;
  #paid = 0;
  #isDry = false;
  /** The next place: monotonic ms. */
  #placeAt = Number.NEGATIVE_INFINITY;
  /** Where in the time allowed the latest of the rest was put, 0 to 1. */
  #spread = 0;

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
    this.#betweenMs = MINUTE_MS / options.perMinute;
    this.#tokens = options.tokens;
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Pays for a retry. Returns how long, in ms, it is to wait at least: what its own delay makes of it may be longer. */
  spend(kind: RetryKind, now: number): number {
    const cost = Math.min(COSTS[kind], this.#options.tokens);
    const isPaid = this.#tokens >= cost;
    this.#remember(isPaid ? cost : 0);
    if (isPaid) {
      this.#tokens -= cost;
      return 0;
    }
    if (!this.#isDry) {
      this.#isDry = true;
      this.#options.exhausted?.();
    }
    return this.#defer(now);
  }

  /** A call succeeded; one that had been retried gets back what a retry cost lately. */
  succeeded(wasRetried: boolean): void {
    const refund = wasRetried ? this.#refund() : 0;
    this.#tokens = Math.min(this.#options.tokens, this.#tokens + 1 + refund);
    if (this.#tokens >= this.#options.tokens / 2) this.#isDry = false;
  }

  #remember(cost: number): void {
    if (this.#retries >= REMEMBERED) {
      this.#retries /= 2;
      this.#paid /= 2;
    }
    this.#retries += 1;
    this.#paid += cost;
  }

  /** The average, as it is not known what the retry of this very call cost. */
  #refund(): number {
    const refund = this.#retries <= 1 ? this.#paid : this.#paid / this.#retries;
    this.#retries = Math.max(0, this.#retries - 1);
    this.#paid -= refund;
    return refund;
  }

  #defer(now: number): number {
    const { maxDeferMs } = this.#options;
    const placeAt = Math.max(now, this.#placeAt);
    if (placeAt - now <= maxDeferMs) {
      this.#placeAt = placeAt + this.#betweenMs;
      return placeAt - now;
    }
    this.#spread = (this.#spread + GOLDEN) % 1;
    return Math.floor(this.#spread * maxDeferMs);
  }
}
