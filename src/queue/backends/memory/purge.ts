import type { PurgeQuery } from '../../types/housekeeping.ts';
import { isTerminal } from '../../types/states.ts';
import { forgetBindings } from './bind.ts';
import type { Entry } from './Entry.ts';
import type { Log } from './Log.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { endedBytes } from './movement.ts';
import { forget } from './unstore.ts';

/** {@link RequestStore.purge} in one synchronous step. */
export function purge(storage: MemoryStorage, query: PurgeQuery): { readonly ids: string[]; readonly more: boolean } {
  const { now, limit, retention } = query;
  if (query.ids !== undefined) return purgeIds(storage, query.ids, query);
  const ids: string[] = [];
  const { endedWell, endedDead } = storage;
  const exceeds = (): boolean =>
    endedWell.size + endedDead.size > retention.maxRecords || storage.endedBytes > retention.maxBytes;

  const sweep = (log: Log, before: number, isWanted: () => boolean): void => {
    for (const entry of log.since(0)) {
      if (ids.length >= limit || !isWanted()) return;
      if (entry.endedAt >= before) {
        if (!storage.hasSteppedBack) return;
        continue; // the records do not lie in the order of their times: every one is looked at
      }
      if (mustStay(entry, query.keepAfter)) continue;
      drop(storage, entry);
      ids.push(entry.input.id);
    }
  };

  sweep(endedWell, now - retention.succeededMs, () => true);
  sweep(endedDead, now - retention.deadMs, () => true);
  sweep(endedWell, Number.POSITIVE_INFINITY, exceeds);
  sweep(endedDead, Number.POSITIVE_INFINITY, exceeds);
  const forgotten = forgetBindings(storage, now - 2 * retention.deadMs, limit);
  const flows = storage.flows.forget(storage.live, now - 2 * retention.deadMs, limit);
  return { ids, more: ids.length >= limit || forgotten >= limit || flows >= limit };
}

function drop(storage: MemoryStorage, entry: Entry): void {
  forget(storage, entry);
  entry.tally.add(entry.state, -1, 0);
  entry.purged = true;
  storage.accepted.forget();
  storage.ended.forget();
  (entry.state === 'dead' ? storage.endedDead : storage.endedWell).forget();
  storage.endedBytes -= endedBytes(entry);
  storage.revision += 1;
}

function purgeIds(
  storage: MemoryStorage,
  wanted: readonly string[],
  { limit, keepAfter }: PurgeQuery,
): { readonly ids: string[]; readonly more: boolean } {
  const ids: string[] = [];
  for (const id of wanted) {
    if (ids.length >= limit) break;
    const entry = storage.entries.get(id);
    if (entry === undefined || !isTerminal(entry.state) || mustStay(entry, keepAfter)) continue;
    drop(storage, entry);
    ids.push(id);
  }
  return { ids, more: ids.length >= limit };
}

/** A live request comes after it, or a subscriber has not been told of it. */
function mustStay(entry: Entry, keepAfter: number): boolean {
  return (entry.ties !== null && entry.ties.awaitedBy > 0) || entry.endedSeq > keepAfter;
}
