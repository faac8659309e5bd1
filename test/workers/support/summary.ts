import type { StoredRequest } from '../../../src/queue/types/request.ts';
import type { LedgerEntry } from '../../../src/testing/ServerLedger.ts';
import type { Course } from './Course.ts';
import type { Crew } from './Crew.ts';
import type { Findings } from './judge.ts';
import type { Producers } from './Producers.ts';

export interface Account {
  readonly findings: Findings;
  readonly mishaps: readonly string[];
  readonly producers: Producers;
  readonly crew: Crew;
  readonly entries: readonly LedgerEntry[];
  readonly records: ReadonlyMap<string, StoredRequest>;
  readonly course: Course;
}

/** Examples of each kind of finding that are named. */
const EXAMPLES = 5;

/** What happened, in lines. */
export function summarise({ findings, mishaps, producers, crew, entries, records, course }: Account): string[] {
  const replayed = entries.filter(({ outcome }) => outcome === 'replayed').length;
  return [
    `${producers.accepted.length} accepted, ${course.count} applied; ${replayed} resends known by their key; ` +
      `${producers.told.length} callers told; ${producers.refused} calls refused`,
    `${crew.kills} workers killed, ${crew.pauses} stopped past their lease, ${producers.kills} producers killed`,
    course.summary,
    Object.entries(findings)
      .map(([name, found]: [string, readonly unknown[]]) => `${found.length} ${name}`)
      .join(', '),
    ...Object.entries(findings)
      .filter(([, found]: [string, readonly unknown[]]) => found.length > 0)
      .map(([name, found]) => `${name}: ${JSON.stringify(found.slice(0, EXAMPLES))}`),
    ...examples(findings.stuck, records),
    ...mishaps,
    ...tally([...crew.logged, ...producers.logged]),
  ];
}

function examples(ids: readonly string[], records: ReadonlyMap<string, StoredRequest>): string[] {
  return ids.slice(0, EXAMPLES).map((id) => {
    const record = records.get(id);
    if (record === undefined) return `${id} is not in the store`;
    const { state, reason, lane, dueAt, lease, progress } = record;
    return `${id} is ${state} (${reason}): ${JSON.stringify({ lane, dueAt, lease, progress })}`;
  });
}

/** Equal lines once, with how often they were said. */
function tally(lines: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([line, count]) => `${count} × ${line}`);
}
