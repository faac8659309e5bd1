import type { StoredRequest } from '../../types/request.ts';
import type { ChannelSenders, ClaimQuery, ClaimResult, RenewQuery, UnknownQuery } from '../../types/store.ts';
import { PROMOTIONS_PER_CLAIM } from '../../types/store.ts';
import { Effects } from './Effects.ts';
import type { Entry, EntryPartition } from './Entry.ts';
import type { Heap } from './Heap.ts';
import { isBefore } from './Heap.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { endAndList, enter, grant, lease, leave } from './movement.ts';
import { snapshot } from './snapshot.ts';

/** {@link RequestStore.claim} in one synchronous step. */
export function claim(storage: MemoryStorage, query: ClaimQuery): ClaimResult {
  const claimed: StoredRequest[] = [];
  const effects = new Effects();
  promoteAll(storage, query);
  for (const channel of query.channels) {
    const heaps = partitionsOf(storage, [channel]).map(({ ready }) => ready);
    let left = channel.calls * channel.perCall;
    while (left > 0) {
      const entry = first(heaps);
      if (entry === undefined) break;
      const { expiresAt } = entry.input;
      if (expiresAt !== null && expiresAt <= query.now && !entry.progress.unresolved) {
        endAndList(storage, entry, 'dead', 'expired', query.now, effects);
        continue;
      }
      lease(storage, entry, query.worker, query.leaseUntil, query.now);
      claimed.push(snapshot(entry));
      left -= 1;
    }
  }
  return { claimed, ended: effects.endedList, moved: effects.movedList };
}

/** Makes due requests ready: {@link PROMOTIONS_PER_CLAIM} of all channels together, and as many as each may lease. */
function promoteAll(storage: MemoryStorage, { channels, now }: ClaimQuery): void {
  let left = PROMOTIONS_PER_CLAIM;
  for (const channel of channels) {
    left -= promote(storage, [channel], now, Math.max(left, channel.calls * channel.perCall));
  }
}

/** Makes at most `limit` due requests ready, longest due first. Returns how many. */
function promote(storage: MemoryStorage, channels: readonly ChannelSenders[], now: number, limit: number): number {
  const due: Heap<Entry>[] = [];
  for (const { scheduled } of partitionsOf(storage, channels)) {
    const next = scheduled.top();
    if (next !== undefined && next.heapKey <= now) due.push(scheduled);
  }
  if (due.length === 0) return 0;
  for (let promoted = 0; promoted < limit; promoted += 1) {
    const entry = first(due);
    if (entry === undefined || entry.heapKey > now) return promoted;
    leave(storage, entry);
    entry.dueAt = null;
    enter(storage, entry, 'ready');
  }
  return limit;
}

/** {@link RequestStore.claimUnknown} in one synchronous step. */
export function claimUnknown(storage: MemoryStorage, query: UnknownQuery): StoredRequest[] {
  const heaps = partitionsOf(storage, query.channels).map(({ unknown }) => unknown);
  const taken: Entry[] = [];
  while (taken.length < query.limit) {
    const entry = first(heaps);
    if (entry === undefined || entry.heapKey > query.now) break;
    leave(storage, entry);
    grant(entry, query.worker, query.until);
    entry.dueAt = query.until;
    // `until` may be due already: it is put back after the loop, so that none is taken twice
    taken.push(entry);
  }
  for (const entry of taken) enter(storage, entry, 'unknown');
  return taken.map(snapshot);
}

/** {@link RequestStore.renew} in one synchronous step. */
export function renew(storage: MemoryStorage, query: RenewQuery): boolean[] {
  return query.leases.map(({ id, token }) => {
    const entry = storage.entries.get(id);
    if (entry === undefined || entry.state !== 'sending' || entry.token !== token) return false;
    entry.leaseUntil = query.leaseUntil;
    return true;
  });
}

export function partitionsOf(storage: MemoryStorage, channels: readonly ChannelSenders[]): EntryPartition[] {
  const found: EntryPartition[] = [];
  for (const { channel, senders } of channels) {
    for (const sender of senders) {
      const partition = storage.partition(channel, sender);
      if (partition !== undefined && !found.includes(partition)) found.push(partition);
    }
  }
  return found;
}

function first(heaps: readonly Heap<Entry>[]): Entry | undefined {
  let best: Entry | undefined;
  for (const heap of heaps) {
    const top = heap.top();
    if (top !== undefined && (best === undefined || isBefore(top, best))) best = top;
  }
  return best;
}
