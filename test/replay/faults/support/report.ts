import type { Counts } from '../../../../src/queue/core/report.ts';

/** One line of evidence. */
export function report(what: string, store: string, ...facts: readonly string[]): void {
  console.log(`${what} ${store.padEnd(6)} ${facts.join(' | ')}`);
}

/** What a queue says: the states that are not empty. */
export function says(counts: Counts): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return `queue: ${some.map(([state, count]) => `${state} ${count}`).join(' ') || 'empty'}`;
}
