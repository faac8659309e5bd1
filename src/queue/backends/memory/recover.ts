import type { OpenOptions, WorkerIdentity } from '../../types/backend.ts';
import type { ExpireResult, RecoverQuery, RecoverResult } from '../../types/housekeeping.ts';
import { isTerminal } from '../../types/states.ts';
import { Effects } from './Effects.ts';
import type { Entry, EntryPartition, ExpiryNode } from './Entry.ts';
import { isBefore } from './Heap.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { endAndList, move, setSender } from './movement.ts';
import { PROCESS_SENDER } from './Partition.ts';

/** Who looks, and how it tells that another worker's process is gone. */
export type Observer = Pick<OpenOptions, 'identity' | 'isGone'>;

/** {@link RequestStore.recover} in one synchronous step. */
export function recover(storage: MemoryStorage, query: RecoverQuery, observer: Observer): RecoverResult {
  const { now, leaseNow, limit } = query;
  const verdicts = new Map<string, boolean>();
  const isDead = (worker: string): boolean => {
    let dead = verdicts.get(worker);
    if (dead === undefined) {
      dead = worker !== query.worker && isWorkerDead(storage, worker, leaseNow, observer);
      verdicts.set(worker, dead);
    }
    return dead;
  };
  const isLost = (entry: Entry): boolean =>
    entry.leaseWorker !== null && (entry.leaseUntil <= leaseNow || isDead(entry.leaseWorker));
  const isHomeless = (sender: string): boolean =>
    sender.startsWith(PROCESS_SENDER) && isDead(sender.slice(PROCESS_SENDER.length));

  const broken = [...storage.sending].filter(isLost).sort(bySeq);
  if (broken.length < limit) {
    const stranded: Entry[] = [];
    for (const { sender, members } of storage.partitions()) {
      if (members === null || members.size === 0 || !isHomeless(sender)) continue;
      stranded.push(...firstOfEach(members, limit));
    }
    broken.push(...stranded.sort(bySeq));
  }

  const effects = new Effects();
  for (const entry of broken.slice(0, limit)) {
    // repairing one may have ended others
    if (!isTerminal(entry.state)) repair(storage, entry, isHomeless(entry.input.sender), now, effects);
  }
  const more = broken.length >= limit;
  if (!more) forgetDead(storage, isDead);
  return { recovered: effects.movedList, ended: effects.endedList, more };
}

/** Of each state the first so many by the order in which a claim or a look would take them, as an index gives them. */
function firstOfEach(members: Iterable<Entry>, limit: number): Entry[] {
  const byState = new Map<string, Entry[]>();
  for (const entry of members) {
    if (entry.state === 'sending') continue;
    const entries = byState.get(entry.state);
    if (entries === undefined) byState.set(entry.state, [entry]);
    else entries.push(entry);
  }
  const found: Entry[] = [];
  for (const [state, entries] of byState) {
    if (state === 'ready') entries.sort((a, b) => a.rank - b.rank || bySeq(a, b));
    else if (state === 'blocked' || state === 'held') entries.sort(bySeq);
    else entries.sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0) || bySeq(a, b));
    found.push(...entries.slice(0, limit));
  }
  return found;
}

function repair(storage: MemoryStorage, entry: Entry, homeless: boolean, now: number, effects: Effects): void {
  const wasLeased = entry.state === 'sending';
  if (wasLeased) {
    entry.progress = { ...entry.progress, unresolved: true };
    entry.sealed = false;
  }
  const goesUnknown = wasLeased && !entry.input.harmless;
  if (homeless && entry.input.ephemeral && !goesUnknown && entry.state !== 'unknown') {
    endAndList(storage, entry, 'dead', 'expired', now, effects);
    return;
  }
  if (homeless) setSender(storage, entry, `principal:${entry.input.principal}`);
  if (goesUnknown) move(storage, entry, { state: 'unknown', reason: 'leaseLost', dueAt: now }, now, effects);
  else if (homeless && entry.state !== 'unknown' && entry.state !== 'held')
    move(storage, entry, { state: 'held', reason: 'auth' }, now, effects);
  else if (wasLeased) move(storage, entry, { state: 'ready', reason: 'leaseLost' }, now, effects);
  effects.addMoved(entry);
}

function isWorkerDead(storage: MemoryStorage, worker: string, leaseNow: number, observer: Observer): boolean {
  const row = storage.workers.get(worker);
  if (row === undefined || row.until <= leaseNow) return true;
  const { identity, leaseMs, until } = row;
  const { bootId, pidNamespace } = observer.identity;
  // a lease longer than it can be was written under another boot's monotonic clock
  if (identity.bootId !== bootId) return until - leaseMs > leaseNow;
  return identity.pidNamespace === pidNamespace && observer.isGone(identity);
}

/** A worker without a row is dead as well: once nothing is left of it, its row says nothing more. */
function forgetDead(storage: MemoryStorage, isDead: (worker: string) => boolean): void {
  for (const worker of [...storage.workers.keys()]) if (isDead(worker)) storage.workers.delete(worker);
}

/** {@link RequestStore.expire} in one synchronous step. */
export function expire(storage: MemoryStorage, query: { readonly now: number; readonly limit: number }): ExpireResult {
  const due: EntryPartition[] = [];
  for (const partition of storage.partitions()) {
    const next = partition.expiry.top();
    if (next !== undefined && next.heapKey <= query.now) due.push(partition);
  }
  const taken: Entry[] = [];
  while (taken.length < query.limit) {
    let first: ExpiryNode | undefined;
    for (const { expiry } of due) {
      const next = expiry.top();
      if (next !== undefined && (first === undefined || isBefore(next, first))) first = next;
    }
    if (first === undefined || first.heapKey > query.now) break;
    first.entry.partition.expiry.remove(first);
    taken.push(first.entry);
  }
  const effects = new Effects();
  for (const entry of taken) {
    // the end of one may have ended others
    if (!isTerminal(entry.state)) endAndList(storage, entry, 'dead', 'expired', query.now, effects);
  }
  return { ended: effects.endedList, moved: effects.movedList };
}

function bySeq(a: Entry, b: Entry): number {
  return a.seq - b.seq;
}

/** Writes or renews a worker's lease of life. */
export function live(
  storage: MemoryStorage,
  identity: WorkerIdentity,
  life: { readonly leaseNow: number; readonly leaseMs: number },
): void {
  const until = life.leaseNow + life.leaseMs;
  storage.workers.set(identity.worker, { identity, leaseMs: life.leaseMs, until });
}
