import { isTerminal } from '../../types/states.ts';
import type { PurgeQuery } from '../../types/store.ts';
import type { EndedQueue } from './EndedQueue.ts';
import type { Entry } from './Entry.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { endedBytes } from './movement.ts';
import { forget } from './unstore.ts';

/** {@link RequestStore.purge} in one synchronous step. */
export function purge(storage: MemoryStorage, query: PurgeQuery): { readonly ids: string[]; readonly more: boolean } {
  const { now, limit, retention } = query;
  if (query.ids !== undefined) return purgeIds(storage, query.ids, query);
  const ids: string[] = [];
  const { endedWell, endedDead } = storage;
  const endedBefore = (instant: number) => (entry: Entry) => entry.endedAt < instant;
  const exceeds = (): boolean =>
    endedWell.size + endedDead.size + aside > retention.maxRecords || storage.endedBytes > retention.maxBytes;
  let aside = 0;

  const sweep = (queue: EndedQueue, isDue: (entry: Entry) => boolean): void => {
    const kept: Entry[] = [];
    for (;;) {
      const entry = queue.top();
      if (entry === undefined || ids.length >= limit || !isDue(entry)) break;
      queue.pop();
      if (mustStay(entry, query.keepAfter)) {
        kept.push(entry);
        aside += 1;
        continue;
      }
      drop(storage, entry);
      ids.push(entry.input.id);
    }
    for (const entry of kept) queue.push(entry);
    aside -= kept.length;
  };

  sweep(endedWell, endedBefore(now - retention.succeededMs));
  sweep(endedDead, endedBefore(now - retention.deadMs));
  sweep(endedWell, exceeds);
  sweep(endedDead, exceeds);
  return { ids, more: ids.length >= limit };
}

function drop(storage: MemoryStorage, entry: Entry): void {
  forget(storage, entry);
  entry.tally.add(entry.state, -1, 0);
  entry.purged = true;
  storage.accepted.forget();
  storage.ended.forget();
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
    (entry.state === 'dead' ? storage.endedDead : storage.endedWell).remove(entry);
    drop(storage, entry);
    ids.push(id);
  }
  return { ids, more: ids.length >= limit };
}

/** A live request comes after it, or a subscriber has not been told of it. */
function mustStay(entry: Entry, keepAfter: number): boolean {
  return (entry.ties !== null && entry.ties.awaitedBy > 0) || entry.endedSeq > keepAfter;
}
