/** What the next delay is computed from. */
export interface BackoffInput {
  /** The delay drawn before this one, without any hint; 0 before the first. */
  readonly previousMs: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** At most so much is added to a hint, so that those who were told the same instant do not all come at it. */
const MAX_HINT_JITTER_MS = 5_000;

/** Decorrelated jitter, `min(cap, U(base, 3 × previous))`: grows on average, and keeps clients from moving in step. */
export function jitteredDelayMs(input: BackoffInput): number {
  const base = Math.min(input.baseDelayMs, input.maxDelayMs);
  const upper = Math.max(base, 3 * Math.max(input.previousMs, base));
  return Math.min(input.maxDelayMs, base + input.random() * (upper - base));
}

/** `delayMs`, or later where the server asked for it, also beyond `maxDelayMs`: `max(delay, hint) + U(0, min(0.1 × hint, 5 s))`, never earlier than the hint. */
export function atLeastHintMs(delayMs: number, hintMs: number | null, random: () => number): number {
  if (hintMs === null) return delayMs;
  return Math.max(delayMs, hintMs) + random() * Math.min(0.1 * hintMs, MAX_HINT_JITTER_MS);
}
