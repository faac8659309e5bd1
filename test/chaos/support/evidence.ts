import type { LedgerEntry } from '../../../src/testing/ServerLedger.ts';

/** What speaks against the promise: accepted intents not applied, intents applied more than once, lanes out of order. */
export interface Findings {
  readonly lost: readonly number[];
  readonly duplicated: readonly number[];
  readonly disordered: readonly string[];
}

/** Compares what was accepted with what the server did. Intents of a lane are accepted in ascending order. */
export function compare(accepted: ReadonlySet<number>, entries: readonly LedgerEntry[]): Findings {
  const times = new Map<number, number>();
  const last = new Map<string, number>();
  const disordered = new Set<string>();
  for (const entry of entries) {
    if (entry.outcome !== 'applied') continue;
    const { intent, lane } = JSON.parse(entry.request.body) as { intent: number; lane: string };
    times.set(intent, (times.get(intent) ?? 0) + 1);
    if (intent < (last.get(lane) ?? -1)) disordered.add(lane);
    last.set(lane, intent);
  }
  return {
    lost: [...accepted].filter((intent) => !times.has(intent)),
    duplicated: [...times].filter(([, count]) => count > 1).map(([intent]) => intent),
    disordered: [...disordered],
  };
}
