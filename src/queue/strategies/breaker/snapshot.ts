/** What of a breaker outlives its process: JSON-safe. Times are epoch ms. */
export interface BreakerSnapshot {
  readonly v: 1;
  readonly state: BreakerState;
  /** When it may be probed; null unless open. */
  readonly openUntil: number | null;
  readonly tries: number;
  readonly baseline: number;
  readonly updatedAt: number;
}

/** Where a breaker is on its own account, whatever was decided over it. */
export type BreakerState = 'closed' | 'open' | 'halfOpen' | 'recovering';

const STATES: readonly unknown[] = ['closed', 'open', 'halfOpen', 'recovering'] satisfies BreakerState[];

/** `value` if it is a snapshot, undefined for anything else: another version, a damaged entry. */
export function parseSnapshot(value: unknown): BreakerSnapshot | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { v, state, openUntil, tries, baseline, updatedAt } = value as Partial<Record<keyof BreakerSnapshot, unknown>>;
  const isSound =
    v === 1 &&
    STATES.includes(state) &&
    (state === 'open' ? Number.isFinite(openUntil) : openUntil === null) &&
    Number.isSafeInteger(tries) &&
    (tries as number) >= 0 &&
    Number.isFinite(baseline) &&
    (baseline as number) >= 0 &&
    (baseline as number) <= 1 &&
    Number.isFinite(updatedAt);
  return isSound ? (value as BreakerSnapshot) : undefined; // every field was just checked
}
