import { RunningMedian } from './RunningMedian.ts';

/**
 * Why a call says that there are too many:
 * - `timeout`, `unavailable`: perhaps; a tenth less
 * - `throttled`, `refused`: the server says so, or no longer listens; half
 */
export type DropKind = 'timeout' | 'unavailable' | 'throttled' | 'refused';

export interface LimitChange {
  readonly from: number;
  readonly to: number;
  readonly cause: DropKind | 'success' | 'capped' | 'updated';
}

export interface ConcurrencyOptions {
  readonly min: number;
  readonly max: number;
  readonly initial: number;
  /** False: `initial` stays the limit, whatever is seen. */
  readonly adaptive: boolean;
}

type Changed = (change: LimitChange) => void;

const REMAINS: Readonly<Record<DropKind, number>> = Object.freeze({
  timeout: 0.9,
  unavailable: 0.9,
  throttled: 0.5,
  refused: 0.5,
});

/** A limit that is not used up is not raised: nothing shows that more would do. */
const USED_UP = 0.9;

/** Calls that fail together are one observation: within so long, or the usual duration of a call, there is one decrease. */
const LEAST_BETWEEN_DECREASES_MS = 1_000;

/**
 * How many calls may be under way at once: raised by one for each time that all of them succeed, lowered by a part for calls that fail
 * under load (AIMD). Times are monotonic ms.
 */
export class ConcurrencyLimit {
  #options: ConcurrencyOptions;
  readonly #changed: Changed | undefined;
  readonly #duration = new RunningMedian();
  /** What the server said it allows. */
  #cap = Number.POSITIVE_INFINITY;
  /** With the fraction that has grown. */
  #exact: number;
  #decreasedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ConcurrencyOptions & { readonly changed?: Changed | undefined }) {
    const { changed, ...own } = options;
    this.#options = own;
    this.#changed = changed;
    this.#exact = between(own.min, own.initial, own.max);
  }

  get limit(): number {
    return Math.floor(this.#exact);
  }

  /**
   * A call succeeded while `inFlight` were under way, itself included. One that began before the latest decrease does not raise the limit: it
   * was made under the higher one, and would take the decrease back.
   */
  succeeded(inFlight: number, durationMs: number, now: number): void {
    this.#duration.add(durationMs);
    const exact = this.#exact;
    if (!this.#options.adaptive || inFlight < Math.floor(USED_UP * exact)) return;
    if (now - durationMs < this.#decreasedAt) return;
    this.#set(Math.min(exact + 1 / exact, this.#upper), 'success');
  }

  /** A call failed as one does where there are too many. */
  dropped(kind: DropKind, now: number): void {
    if (!this.#options.adaptive) return;
    if (now - this.#decreasedAt < Math.max(this.#duration.value, LEAST_BETWEEN_DECREASES_MS)) return;
    this.#decreasedAt = now;
    this.#set(Math.max(this.#options.min, Math.floor(this.#exact * REMAINS[kind])), kind);
  }

  /** The server said how many it allows; Infinity takes that back. Never below `min`, and no reason to go above `max`. */
  capped(max: number, now: number): void {
    if (Number.isNaN(max)) return;
    this.#cap = Math.floor(max);
    if (!this.#options.adaptive || this.#exact <= this.#upper) return;
    this.#decreasedAt = now;
    this.#set(this.#upper, 'capped');
  }

  /** Changes what is given, and keeps what was learned as far as it fits: where all that was allowed could be used, all that is allowed can. */
  update(change: { readonly [Name in keyof ConcurrencyOptions]?: ConcurrencyOptions[Name] | undefined }): void {
    const now = this.#options;
    const { min = now.min, max = now.max, initial = now.initial, adaptive = now.adaptive } = change;
    const isFull = this.#exact >= this.#upper;
    this.#options = { min, max, initial, adaptive };
    const learned = isFull ? this.#upper : between(min, this.#exact, this.#upper);
    this.#set(adaptive ? learned : between(min, initial, max), 'updated');
  }

  get #upper(): number {
    const { min, max } = this.#options;
    return Math.max(min, Math.min(max, this.#cap));
  }

  #set(exact: number, cause: LimitChange['cause']): void {
    const from = this.limit;
    this.#exact = exact;
    const to = this.limit;
    if (to !== from) this.#changed?.({ from, to, cause });
  }
}

function between(min: number, value: number, max: number): number {
  return Math.max(min, Math.min(value, max));
}
