/** Kinds told apart at a time; the one that was not seen for the longest goes first. */
const MAX_KINDS = 256;
const REFRESH_MS = 60_000;
/** Fewer calls than that say nothing of a kind. */
const LEAST_CALLS = 5;
/** Bounds of a weight, relative to the median of all kinds: so a kind waits for a bounded number of the others. */
export const MOST_WEIGHT = 16;
export const LEAST_WEIGHT = 1 / 16;
/** A call takes at least so long: a mean of nothing would make a weight of everything. */
const LEAST_MS = 1;
/** Of what was counted, so much is left at each refresh: what a kind was like an hour ago says little. */
const KEPT = 0.5;

interface Kind {
  calls: number;
  successes: number;
  totalMs: number;
  weight: number;
}

/**
 * How much each kind of request is worth its turn: its success rate over its mean duration, relative to the median of the kinds. A kind that
 * is not known weighs 1. Weights are worked out anew each minute, when they are asked for, so that they do not move with every call.
 */
export class KindWeights {
  /** Least recently ended first. */
  readonly #kinds = new Map<string, Kind>();
  #refreshedAt = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#kinds.size;
  }

  /** A call of that kind ended. `now`: monotonic ms. */
  ended(kind: string, isSuccess: boolean, durationMs: number, now: number): void {
    if (!(durationMs >= 0)) return;
    this.#refresh(now);
    const known = this.#kinds.get(kind) ?? { calls: 0, successes: 0, totalMs: 0, weight: 1 };
    known.calls += 1;
    known.successes += isSuccess ? 1 : 0;
    known.totalMs += durationMs;
    this.#kinds.delete(kind);
    this.#kinds.set(kind, known);
    if (this.#kinds.size > MAX_KINDS) this.#kinds.delete(this.#kinds.keys().next().value as string); // not empty
  }

  weightOf(kind: string, now: number): number {
    this.#refresh(now);
    return this.#kinds.get(kind)?.weight ?? 1;
  }

  #refresh(now: number): void {
    if (now - this.#refreshedAt < REFRESH_MS) return;
    const isFirst = this.#refreshedAt === Number.NEGATIVE_INFINITY;
    this.#refreshedAt = now;
    if (isFirst) return;
    const known = [...this.#kinds.values()].filter(({ calls }) => calls >= LEAST_CALLS);
    const usual = median(known.map(worth));
    for (const kind of this.#kinds.values()) {
      if (kind.calls >= LEAST_CALLS && usual > 0) kind.weight = clamped(worth(kind) / usual);
      kind.calls *= KEPT;
      kind.successes *= KEPT;
      kind.totalMs *= KEPT;
    }
  }
}

/** Calls that succeed per ms. One that never did yet is given the benefit of a call. */
function worth({ calls, successes, totalMs }: Kind): number {
  const rate = (successes + 1) / (calls + 2);
  return rate / Math.max(LEAST_MS, totalMs / calls);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

function clamped(weight: number): number {
  return Math.min(MOST_WEIGHT, Math.max(LEAST_WEIGHT, weight));
}
