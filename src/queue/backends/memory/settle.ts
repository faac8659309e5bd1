import { canMove, isTerminal } from '../../types/states.ts';
import type {
  AmendBatch,
  AmendResult,
  Change,
  RequestPatch,
  SettleBatch,
  Settlement,
  SettleResult,
} from '../../types/store.ts';
import { bind } from './bind.ts';
import { Effects } from './Effects.ts';
import type { Entry } from './Entry.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { endAndList, endedBytes, indexExpiry, move, putBack, setSender } from './movement.ts';
import { raise, rerank } from './ranks.ts';

const NOT_FOUND = Object.freeze({ status: 'notFound' });

/** {@link RequestStore.settle} in one synchronous step. */
export function settle(storage: MemoryStorage, batch: SettleBatch): SettleResult[] {
  const results: SettleResult[] = new Array(batch.settlements.length);
  for (let index = 0; index < results.length; index += 1) {
    results[index] = settleOne(storage, batch.settlements[index] as Settlement, batch.now); // in range
  }
  return results;
}

function settleOne(storage: MemoryStorage, settlement: Settlement, now: number): SettleResult {
  const entry = storage.entries.get(settlement.id);
  if (entry === undefined) return NOT_FOUND;
  const { state } = entry;
  const isCurrent = (state === 'sending' || state === 'unknown') && entry.token === settlement.token;
  if (!isCurrent || !canMove(state, settlement.next.state)) return { status: 'stale', state };

  const effects = new Effects();
  if (settlement.bind !== undefined) bind(storage, settlement.bind, entry);
  for (const { id, state: to, reason } of settlement.end ?? []) {
    const other = storage.entries.get(id);
    if (other === undefined || other === entry || other.state === 'sending' || !canMove(other.state, to)) continue;
    endAndList(storage, other, to, reason, now, effects);
  }
  for (const change of settlement.amend ?? []) {
    if (change.id !== settlement.id) amendOther(storage, change, now, effects);
  }

  if (settlement.notSent === true && entry.firstSentToken === entry.token) {
    entry.firstSentAt = null;
    entry.firstSentToken = 0;
  }
  entry.progress = settlement.progress;
  const { patch } = settlement;
  if (patch !== undefined) applyPatch(storage, entry, { content: patch.content, base: patch.base }, now);
  if (settlement.result !== undefined) entry.result = settlement.result;
  if (settlement.told !== undefined) entry.told = settlement.told;
  entry.sealed = false;
  const { next, notSent } = settlement;
  if (notSent === true && next.state === 'ready' && next.reason === 'accepted') putBack(storage, entry, now);
  else move(storage, entry, next, now, effects);
  return {
    status: 'settled',
    state: entry.state,
    endedSeq: isTerminal(entry.state) ? entry.endedSeq : null,
    ended: effects.endedList,
    moved: effects.movedList,
  };
}

function amendOther(storage: MemoryStorage, change: Change, now: number, effects: Effects): void {
  const entry = storage.entries.get(change.id);
  if (entry === undefined || !isAllowed(entry, change)) return;
  const before = entry.state;
  apply(storage, entry, change, now, effects);
  if (entry.state !== before && !isTerminal(entry.state)) effects.addMoved(entry);
}

/** {@link RequestStore.amend} in one synchronous step. */
export function amend(storage: MemoryStorage, batch: AmendBatch): AmendResult[] {
  return batch.changes.map((change) => {
    const entry = storage.entries.get(change.id);
    if (entry === undefined) return NOT_FOUND;
    if (!isAllowed(entry, change)) return { status: 'refused', state: entry.state };
    const effects = new Effects();
    apply(storage, entry, change, batch.now, effects);
    return { status: 'amended', state: entry.state, ended: effects.endedList, moved: effects.movedList };
  });
}

function isAllowed(entry: Entry, change: Change): boolean {
  const { state } = entry;
  if (state === 'sending' || !change.from.includes(state)) return false;
  if (change.neverSent === true && entry.firstSentAt !== null) return false;
  if (change.callers !== undefined && entry.callers !== change.callers) return false;
  if (change.reason !== undefined && entry.reason !== change.reason) return false;
  const to = change.to?.state;
  if (to === undefined) return true;
  // behind its lane's head a request waits or is set aside, nothing else
  const isBehind = entry.lane !== null && entry.lane.head !== entry;
  return to !== 'sending' && !(to === 'unknown' && isBehind) && canMove(state, to);
}

function apply(storage: MemoryStorage, entry: Entry, change: Change, now: number, effects: Effects): void {
  const { patch, to } = change;
  storage.revision += 1;
  if (change.bind !== undefined) bind(storage, change.bind, entry);
  if (patch !== undefined) applyPatch(storage, entry, patch, now);
  if (to === undefined) return;
  move(storage, entry, to, now, effects);
  if (isTerminal(entry.state)) effects.addEnded(entry);
}

function applyPatch(storage: MemoryStorage, entry: Entry, patch: RequestPatch, now: number): void {
  const isLive = !isTerminal(entry.state);
  entry.sealed = false;
  const { priority, expiresAt, base, content, sender } = patch;
  if ((priority ?? expiresAt ?? base ?? content) !== undefined || expiresAt === null || base === null) {
    const { input } = entry;
    entry.input = {
      ...input,
      priority: priority ?? input.priority,
      expiresAt: expiresAt === undefined ? input.expiresAt : expiresAt,
      base: base === undefined ? input.base : base,
      content: content ?? input.content,
    };
    if (isLive) indexExpiry(entry);
  }
  if (sender !== undefined) {
    if (isLive) setSender(storage, entry, sender);
    else entry.input = { ...entry.input, sender };
  }
  if (patch.rank !== undefined) rerank(storage, entry, patch.rank, now);
  if (patch.raise !== undefined && isLive) raise(storage, entry, patch.raise);
  if (patch.progress !== undefined) {
    entry.progress = patch.progress;
    if (isLive) indexExpiry(entry);
  }
  if (patch.told !== undefined) entry.told = patch.told;
  if (patch.replayedAs !== undefined) entry.replayedAs = patch.replayedAs;
  if (patch.callers !== undefined) entry.callers += patch.callers;
  if (patch.result !== undefined) {
    const before = endedBytes(entry);
    entry.result = patch.result;
    if (!isLive) storage.endedBytes += endedBytes(entry) - before;
  }
}
