import type { Entry, EntryLane } from './Entry.ts';

/**
 * The live requests that end with `root`, last accepted first: what waits for one of them ends before it does. `takesLane` says
 * whether those behind it in its lane are among them; behind a victim they are where that one cascades.
 */
export function victimsOf(root: Entry, takesLane: boolean): Entry[] {
  const found = new Set<Entry>();
  const open = [root];
  /** The first one taken of each lane: all behind it were taken with it. */
  const takenFrom = new Map<EntryLane, Entry>();
  const reach = (entry: Entry): void => {
    if (entry.state === 'sending' || entry.state === 'unknown' || found.has(entry)) return;
    found.add(entry);
    open.push(entry);
  };
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { lane, laneAfter } = entry;
    if (lane !== null && laneAfter !== null && (entry === root ? takesLane : entry.input.onFailure === 'cascade')) {
      const taken = takenFrom.get(lane);
      if (taken === undefined || laneAfter.seq < taken.seq) takenFrom.set(lane, laneAfter);
      for (let behind: Entry | null = laneAfter; behind !== null; behind = behind.laneAfter) {
        if (taken !== undefined && behind.seq >= taken.seq) break;
        reach(behind);
      }
    }
    for (const dependant of entry.ties?.dependants ?? []) reach(dependant);
  }
  return [...found].sort((a, b) => b.seq - a.seq);
}
