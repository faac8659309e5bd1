import type { Entry } from './Entry.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { leave, untie } from './movement.ts';

/** Takes back the request stored last, as if it had never been accepted: nothing can depend on it or stand behind it yet. */
export function unstore(storage: MemoryStorage, entry: Entry): void {
  const { expiry, partition, lane } = entry;
  leave(storage, entry);
  if (expiry !== null && expiry.heapIndex >= 0) partition.expiry.remove(expiry);
  partition.live -= 1;
  partition.members?.delete(entry);
  if (lane !== null) {
    lane.remove(entry);
    if (lane.head === null) storage.lanes.delete(lane.name);
  }
  for (const predecessor of entry.ties?.predecessors ?? []) untie(predecessor, entry);
  forget(storage, entry);
  storage.accepted.retract();
  storage.lastSeq -= 1;
  storage.live -= 1;
  storage.liveBytes -= entry.input.bytes;
}

/** Takes a record out of the lookups. */
export function forget(storage: MemoryStorage, entry: Entry): void {
  const { id, key, fingerprint } = entry.input;
  storage.entries.delete(id);
  if (key !== null) storage.keys.delete(key);
  if (fingerprint === null) return;
  const alike = storage.fingerprints.get(fingerprint);
  if (alike === undefined) return;
  alike.splice(alike.indexOf(entry), 1);
  if (alike.length === 0) storage.fingerprints.delete(fingerprint);
}
