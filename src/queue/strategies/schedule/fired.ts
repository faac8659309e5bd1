/** Due times that fired, from the first to the last of a run without a gap. */
export type FiredRange = readonly [from: number, to: number];

/**
 * Ranges kept of one schedule. Only those in the future of a clock that went back matter: there is one for each time it went wrong. The
 * earliest are forgotten first.
 */
const MAX_RANGES = 8;

/** With `due` added; `previous` is the due time before it, where that is known to have fired. */
export function withFired(fired: readonly FiredRange[], due: number, previous: number | undefined): FiredRange[] {
  const index = previous === undefined ? -1 : fired.findIndex(([, to]) => to === previous);
  const [from] = fired[index] ?? [due];
  const others = fired.filter((_, at) => at !== index);
  const sorted = [...others, [from, due] as const].sort((a, b) => a[1] - b[1]);
  return sorted.slice(-MAX_RANGES);
}

/** The range that holds `due`, if it fired. */
export function firedRange(fired: readonly FiredRange[], due: number): FiredRange | undefined {
  return fired.find(([from, to]) => from <= due && due <= to);
}
