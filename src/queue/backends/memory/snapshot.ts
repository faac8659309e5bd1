import type { Json, StoredRequest } from '../../types/request.ts';
import { isTerminal } from '../../types/states.ts';
import type { Entry } from './Entry.ts';

/** Layout of the records this backend gives. */
const RECORD_VERSION = 1;

type Rare = 'onFailure' | 'intent' | 'bundle' | 'rankGroup';

/** A record in the making: what most requests have nothing of is added to it. */
type Draft = Omit<StoredRequest, Rare> & { -readonly [Name in Rare]?: StoredRequest[Name] };

/**
 * The record of a request as it stands, detached from later changes. What it shares with the store is frozen first, so
 * that no caller can change the store through it; only the bytes of bodies cannot be, and are to be left alone.
 */
export function snapshot(entry: Entry): StoredRequest {
  if (!entry.sealed) seal(entry);
  const { input, state } = entry;
  const ended = isTerminal(state);
  const record: Draft = {
    id: input.id,
    seq: entry.seq,
    zone: input.zone,
    channel: input.channel,
    sender: input.sender,
    ephemeral: input.ephemeral,
    content: input.content,
    effect: input.effect,
    harmless: input.harmless,
    lane: input.lane,
    after: input.after,
    refs: input.refs,
    principal: input.principal,
    auth: input.auth,
    client: input.client,
    key: input.key,
    fingerprint: input.fingerprint,
    digest: input.digest,
    idempotencyKey: input.idempotencyKey,
    base: input.base,
    priority: input.priority,
    rank: entry.rank,
    notBefore: input.notBefore,
    expiresAt: input.expiresAt,
    acceptedAt: input.acceptedAt,
    trace: input.trace,
    tags: input.tags,
    durable: input.durable,
    replayOf: input.replayOf,
    bytes: input.bytes,
    state,
    reason: entry.reason,
    dueAt: entry.dueAt,
    firstSentAt: entry.firstSentAt,
    progress: entry.progress,
    lease:
      entry.leaseWorker === null ? null : { token: entry.token, worker: entry.leaseWorker, until: entry.leaseUntil },
    callers: entry.callers,
    endedAt: ended ? entry.endedAt : null,
    endedSeq: ended ? entry.endedSeq : null,
    result: entry.result,
    told: entry.told,
    replayedAs: entry.replayedAs,
    version: RECORD_VERSION,
  };
  if (input.onFailure !== undefined) record.onFailure = input.onFailure;
  if (input.intent !== undefined) record.intent = input.intent;
  if (entry.turn !== null) record.rankGroup = entry.turn.group;
  if (entry.bundle !== null) record.bundle = entry.bundle;
  return record;
}

function seal(entry: Entry): void {
  const { input, progress, result } = entry;
  const { content } = input;
  Object.freeze(content);
  freezeAll(content.headers);
  Object.freeze(input.after);
  Object.freeze(input.tags);
  freezeAll(input.refs);
  freezeJson(input.base);
  if (input.intent !== undefined) Object.freeze(input.intent);
  Object.freeze(progress);
  freezeAll(progress.attempts);
  if (result !== null) {
    Object.freeze(result);
    freezeAll(result.headers);
  }
  entry.sealed = true;
}

function freezeAll(items: readonly object[]): void {
  for (const item of items) Object.freeze(item);
  Object.freeze(items);
}

function freezeJson(value: Json): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freezeJson(inner);
}
