import { LatencyHistogram } from './LatencyHistogram.ts';

export interface TimeoutChange {
  readonly from: number;
  readonly to: number;
  /** Null where there are too few samples: it is the initial one again. */
  readonly p99: number | null;
  readonly samples: number;
}

export interface AttemptTimeoutsOptions {
  /** Where too little is known. */
  readonly initialMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** What is known now asks for another timeout. */
  readonly changed?: ((change: TimeoutChange) => void) | undefined;
}

const ENOUGH_SAMPLES = 20;
const RECOMPUTE_MS = 5_000;
const RECOMPUTE_SAMPLES = 20;
const SLACK_MS = 100;
/** A recompute raises and lowers the timeout at most by these factors. */
const RAISED = 2;
const LOWERED = 0.9;
/** How long a call that was cut off is taken to have lasted; else timeouts would cut off the very samples that keep them long. */
const CENSORED = 1.5;
const TIMEOUTS_IN_A_ROW = 2;
const RELAXED = 1.5;

/**
 * How long the attempts of one kind of call may take, from how long they took during the last 5 minutes. Times are
 * monotonic ms.
 */
export class AttemptTimeouts {
  readonly #options: AttemptTimeoutsOptions;
  readonly #initialMs: number;
  readonly #durations = new LatencyHistogram();
  #timeoutMs: number;
  #p50: number | undefined;
  #p99: number | undefined;
  #computedAt: number | undefined;
  /** Samples since then. */
  #fresh = 0;
  #timeoutsInARow = 0;

  constructor(options: AttemptTimeoutsOptions) {
    this.#options = options;
    this.#initialMs = Math.max(options.minMs, Math.min(options.initialMs, options.maxMs));
    this.#timeoutMs = this.#initialMs;
  }

  /**
   * For the attempt of that number, from 1. The last one may take as long as any, so that a request is not given up for want of patience; one
   * that is the first as well gets what a first one gets.
   */
  timeoutFor(attempt: number, now: number, isLast = false): number {
    const { maxMs } = this.#options;
    if (isLast && attempt > 1) return maxMs;
    this.#refresh(now);
    if (this.#timeoutsInARow < TIMEOUTS_IN_A_ROW) return this.#timeoutMs;
    return Math.min(maxMs, Math.ceil(RELAXED * this.#timeoutMs));
  }

  /** A call took so long, or was cut off after `timeoutMs`. */
  ended(durationMs: number, timedOut: boolean, timeoutMs: number, now: number): void {
    this.#timeoutsInARow = timedOut ? this.#timeoutsInARow + 1 : 0;
    if (timedOut && this.#isTooShortToTell(timeoutMs)) return;
    this.#durations.add(timedOut ? CENSORED * timeoutMs : durationMs, now);
    this.#fresh += 1;
    this.#refresh(now);
  }

  /** Half of the calls take no longer; undefined where too few were seen. */
  p50(now: number): number | undefined {
    this.#refresh(now);
    return this.#p50;
  }

  /** One call of a hundred takes longer; undefined where too few were seen. */
  p99(now: number): number | undefined {
    this.#refresh(now);
    return this.#p99;
  }

  /** How many calls of the last 5 minutes it knows of. */
  samples(now: number): number {
    return this.#durations.size(now);
  }

  /** A deadline cut it off before its timeout would have: as a sample it would only make calls look faster than they are. */
  #isTooShortToTell(timeoutMs: number): boolean {
    return timeoutMs < this.#timeoutMs && this.#p99 !== undefined && CENSORED * timeoutMs < this.#p99;
  }

  #refresh(now: number): void {
    this.#computedAt ??= now;
    if (this.#fresh < RECOMPUTE_SAMPLES && now - this.#computedAt < RECOMPUTE_MS) return;
    this.#computedAt = now;
    this.#fresh = 0;
    const samples = this.#durations.size(now);
    const isKnown = samples >= ENOUGH_SAMPLES;
    this.#p50 = isKnown ? this.#durations.quantile(0.5) : undefined;
    this.#p99 = isKnown ? this.#durations.quantile(0.99) : undefined;
    const from = this.#timeoutMs;
    this.#timeoutMs = this.#p99 === undefined ? this.#initialMs : this.#next(this.#p99);
    if (this.#timeoutMs !== from) {
      this.#options.changed?.({ from, to: this.#timeoutMs, p99: this.#p99 ?? null, samples });
    }
  }

  #next(p99: number): number {
    const { minMs, maxMs } = this.#options;
    const asked = Math.max(1.5 * p99, 2 * this.#durations.quantile(0.95)) + SLACK_MS;
    const wanted = Math.max(minMs, Math.min(asked, maxMs));
    return Math.ceil(Math.max(LOWERED * this.#timeoutMs, Math.min(wanted, RAISED * this.#timeoutMs)));
  }
}
