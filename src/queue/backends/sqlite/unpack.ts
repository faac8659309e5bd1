import type { Body, StoredRequest } from '../../types/request.ts';
import type { AmendResult, EnqueueResult, SettleResult } from '../../types/store.ts';
import { decodeHead, decodeProgress, decodeResult, RECORD_VERSION, reasonOf, stateOf } from '../codec.ts';
import type { SqlValue } from './driver.ts';
import { DURABLE, EPHEMERAL, HARMLESS, ON_FAILURE, onFailureOf, TOLD } from './flags.ts';
import type { Others, PackedEnqueueResult, PackedRecord, PackedSettleResult } from './protocol.ts';
import { ACCEPTED, DONE, JOINED, NOT_FOUND, readTurn } from './protocol.ts';

const NOBODY: Others = Object.freeze({ ended: Object.freeze([]), moved: Object.freeze([]) });

export function unpackEnqueueResult(packed: PackedEnqueueResult, id: string): EnqueueResult {
  switch (packed[0]) {
    case ACCEPTED: {
      const [, seq, state, token, dueAt] = packed;
      return { status: 'accepted', id, seq, state: stateOf(state), token, dueAt };
    }
    case JOINED:
      return { status: 'joined', id: packed[1], seq: packed[2], state: stateOf(packed[3]) };
    default:
      return { status: 'refused', why: packed[1], detail: packed[2] };
  }
}

export function unpackSettleResult(packed: PackedSettleResult): SettleResult {
  if (packed[0] === NOT_FOUND) return { status: 'notFound' };
  if (packed[0] !== DONE) return { status: 'stale', state: stateOf(packed[1]) };
  const { ended, moved } = packed[3] ?? NOBODY;
  return { status: 'settled', state: stateOf(packed[1]), endedSeq: packed[2], ended, moved };
}

export function unpackAmendResult(packed: PackedSettleResult): AmendResult {
  if (packed[0] === NOT_FOUND) return { status: 'notFound' };
  if (packed[0] !== DONE) return { status: 'refused', state: stateOf(packed[1]) };
  const { ended, moved } = packed[3] ?? NOBODY;
  return { status: 'amended', state: stateOf(packed[1]), ended, moved };
}

/** From the columns of `RECORD` in `records.ts`, with zone, channel and sender after the last. */
export function unpackRecord(columns: PackedRecord): StoredRequest {
  // The types are those of the columns in the STRICT tables.
  const number = (at: number): number => columns[at] as number;
  const maybeNumber = (at: number): number | null => columns[at] as number | null;
  const text = (at: number): string => columns[at] as string;
  const maybeText = (at: number): string | null => columns[at] as string | null;
  const flags = number(5);
  const worker = maybeText(10);
  const head = decodeHead(text(26));
  const status = maybeNumber(28);
  const bundle = maybeText(31);
  const turn = maybeText(32);
  return {
    id: text(1),
    zone: text(33),
    channel: text(34),
    sender: text(35),
    ephemeral: (flags & EPHEMERAL) !== 0,
    content: {
      method: head.method,
      path: head.path,
      headers: head.headers,
      body: bodyOf(columns[27] as SqlValue),
      ...(head.fetch !== undefined && { fetch: head.fetch }),
    },
    effect: head.effect,
    harmless: (flags & HARMLESS) !== 0,
    lane: maybeText(20),
    after: head.after,
    refs: head.refs,
    principal: text(21),
    auth: head.auth,
    client: head.client,
    key: maybeText(22),
    fingerprint: head.fingerprint,
    digest: maybeText(23),
    idempotencyKey: head.idempotencyKey,
    base: head.base,
    priority: number(14),
    notBefore: maybeNumber(19),
    expiresAt: maybeNumber(8),
    acceptedAt: number(15),
    trace: head.trace,
    tags: head.tags,
    durable: (flags & DURABLE) !== 0,
    replayOf: head.replayOf,
    bytes: number(18),
    seq: number(0),
    state: stateOf(number(3)),
    reason: reasonOf(number(4)),
    rank: number(6),
    dueAt: maybeNumber(7),
    firstSentAt: maybeNumber(12),
    progress: decodeProgress(maybeText(25)),
    lease: worker === null ? null : { token: number(9), worker, until: number(11) },
    callers: number(13),
    endedAt: maybeNumber(16),
    endedSeq: maybeNumber(17),
    result: status === null ? null : decodeResult(status, text(29), columns[30] as Uint8Array | null),
    told: (flags & TOLD) !== 0,
    replayedAs: maybeText(24),
    ...((flags & ON_FAILURE) !== 0 && { onFailure: onFailureOf(flags) }),
    ...(head.intent !== undefined && { intent: head.intent }),
    ...(bundle !== null && { bundle }),
    ...(turn !== null && { rankGroup: readTurn(turn)[0] }),
    version: RECORD_VERSION,
  };
}

function bodyOf(value: SqlValue): Body {
  if (typeof value === 'number') throw new Error('a body is never a number');
  return value;
}
