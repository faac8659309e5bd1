import { PROBE_CANDIDATES } from '../../types/claimTerms.ts';
import type { StoredRequest } from '../../types/request.ts';
import type { ChannelSenders, ClaimQuery, ClaimResult, RenewQuery, UnknownQuery } from '../../types/store.ts';
import { PROMOTIONS_PER_CLAIM } from '../../types/store.ts';
import type { OpenPart } from '../claimLimits.ts';
import { candidatesOf, HARMLESS_EFFECTS, openParts, roomWithin } from '../claimLimits.ts';
import { Effects } from './Effects.ts';
import type { Entry, EntryPartition } from './Entry.ts';
import type { Heap } from './Heap.ts';
import { isBefore } from './Heap.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { endAndList, enter, grant, lease, leave, takeTurnAgain } from './movement.ts';
import { snapshot } from './snapshot.ts';

type Channel = ClaimQuery['channels'][number];

/** One claim under way. */
interface Step {
  readonly storage: MemoryStorage;
  readonly query: ClaimQuery;
  readonly claimed: StoredRequest[];
  readonly effects: Effects;
}

/** {@link RequestStore.claim} in one synchronous step. */
export function claim(storage: MemoryStorage, query: ClaimQuery): ClaimResult {
  const step: Step = { storage, query, claimed: [], effects: new Effects() };
  promoteAll(storage, query);
  for (const channel of query.channels) {
    if (channel.probe !== undefined) probe(step, channel);
    else take(step, channel);
  }
  return { claimed: step.claimed, ended: step.effects.endedList, moved: step.effects.movedList };
}

function take(step: Step, channel: Channel): void {
  const parts = channel.parts === undefined ? [] : partsOf(step, channel);
  let heaps = channel.parts === undefined ? readyOf(step, [channel]) : parts.flatMap((part) => part.heaps);
  let left = channel.calls * channel.perCall;
  while (left > 0) {
    const entry = first(heaps);
    if (entry === undefined || !hasRoom(step, channel, entry)) return;
    if (isOver(step, entry)) {
      expire(step, entry);
      continue;
    }
    give(step, entry);
    left -= 1;
    const part = parts.find(({ names }) => names.channel === entry.input.channel);
    if (part === undefined) continue;
    part.left -= 1;
    if (part.left < 1) heaps = heaps.filter((heap) => !part.heaps.includes(heap));
  }
}

interface HeapsOfPart extends OpenPart {
  readonly heaps: readonly Heap<Entry>[];
}

function partsOf(step: Step, channel: Channel): HeapsOfPart[] {
  return openParts(channel).map((part) => ({ ...part, heaps: readyOf(step, [part.names]) }));
}

/** Leases one request to try a channel with, if there is one. */
function probe(step: Step, channel: Channel): void {
  if (channel.calls * channel.perCall < 1) return;
  const heaps = partsOf(step, channel).flatMap((part) => part.heaps);
  const { past = 0 } = channel;
  for (;;) {
    const candidates = candidatesOf(firstOf(heaps, past + PROBE_CANDIDATES), past);
    const stop = candidates.findIndex((entry) => !hasRoom(step, channel, entry));
    const open = stop === -1 ? candidates : candidates.slice(0, stop);
    const met =
      open.find((entry) => isOver(step, entry) || isWanted(entry, channel)) ?? open.find(isHarmless) ?? open[0];
    if (met === undefined) return;
    if (!isOver(step, met)) return give(step, met);
    // What comes forward behind it may stand before the others.
    expire(step, met);
  }
}

function give({ storage, query, claimed }: Step, entry: Entry): void {
  lease(storage, entry, query.worker, query.leaseUntil, query.now);
  claimed.push(snapshot(entry));
}

function expire({ storage, query, effects }: Step, entry: Entry): void {
  endAndList(storage, entry, 'dead', 'expired', query.now, effects);
}

/** Whether a probe takes it, whatever stands behind it. */
function isWanted(entry: Entry, { probe }: Channel): boolean {
  return probe === 'fresh' ? entry.firstSentAt === null : isHarmless(entry);
}

function isHarmless({ input }: Entry): boolean {
  return HARMLESS_EFFECTS.has(input.effect);
}

function readyOf({ storage }: Step, channels: readonly ChannelSenders[]): Heap<Entry>[] {
  return partitionsOf(storage, channels).map(({ ready }) => ready);
}

function hasRoom({ storage }: Step, { within }: Channel, { input }: Entry): boolean {
  return within === undefined || roomWithin(within, storage.traffic, input.zone, input.channel) >= 1;
}

function isOver({ query }: Step, { input, progress }: Entry): boolean {
  return input.expiresAt !== null && input.expiresAt <= query.now && !progress.unresolved;
}

/** Makes due requests ready: {@link PROMOTIONS_PER_CLAIM} of all channels together, and as many of each part as it may lease. */
function promoteAll(storage: MemoryStorage, { channels, now }: ClaimQuery): void {
  let left = PROMOTIONS_PER_CLAIM;
  for (const channel of channels) {
    if (channel.parts === undefined) {
      left -= promote(storage, [channel], now, Math.max(left, channel.calls * channel.perCall));
      continue;
    }
    for (const part of openParts(channel)) left -= promote(storage, [part.names], now, Math.max(left, part.left));
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
    takeTurnAgain(storage, entry, now);
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

/** The first so many, in order; they stay where they are. */
function firstOf(heaps: readonly Heap<Entry>[], limit: number): Entry[] {
  const found: Entry[] = [];
  while (found.length < limit) {
    const entry = first(heaps);
    if (entry === undefined) break;
    entry.heap?.remove(entry);
    found.push(entry);
  }
  for (const entry of found) entry.heap?.push(entry, entry.rank, entry.seq);
  return found;
}
