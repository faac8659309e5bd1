import type { Body, EndedRequest, HeaderList, Json, Progress, Reference, StoredRequest } from '../../types/request.ts';
import { isTerminal } from '../../types/states.ts';
import type { AmendResult, CountRow, EnqueueResult, MovedRequest, SettleResult } from '../../types/store.ts';
import { decodeProgress, decodeResult, RECORD_VERSION, reasonOf, stateOf } from '../codec.ts';
import { DURABLE, EPHEMERAL, HARMLESS, TOLD, UNRESOLVED } from './flags.ts';
import { hashOf, idOf } from './hex.ts';
import { Unpacker } from './msgpack.ts';
import { AUTHS, BODY_KINDS, EFFECTS } from './pack.ts';

type Row = ReturnType<typeof readRow>;

/** The fields of a row, in the order in which the script keeps them. */
function readRow(from: Unpacker) {
  from.array();
  return {
    seq: from.number(),
    id: idOf(from.bytes()),
    place: from.number(),
    state: stateOf(from.number()),
    reason: reasonOf(from.number()),
    flags: from.number(),
    rank: from.number(),
    dueAt: from.numberOrNull(),
    notBefore: from.numberOrNull(),
    expiresAt: from.numberOrNull(),
    token: from.number(),
    worker: from.textOrNull(),
    until: from.number(),
    firstSentAt: from.numberOrNull(),
    callers: from.number(),
    priority: from.number(),
    acceptedAt: from.number(),
    endedAt: from.numberOrNull(),
    endedSeq: from.numberOrNull(),
    bytes: from.number(),
    lane: from.skip(),
    open: from.number(),
    resultBytes: from.number(),
    replayedAs: from.textOrNull(),
    fingerprint: from.isNothing() ? null : hashOf(from.bytes()),
    base: from.textOrNull(),
    progress: from.textOrNull(),
  };
}

/** What never changes: written by `packFixed`. */
function readFixed(from: Unpacker) {
  from.array();
  return {
    lane: from.textOrNull(),
    principal: from.text(),
    key: from.textOrNull(),
    digest: from.textOrNull(),
    effect: EFFECTS[from.number()] ?? 'action',
    after: from.isNothing() ? [] : from.list((one) => idOf(one.bytes())),
    refs: from.isNothing() ? [] : (JSON.parse(from.text()) as Reference[]),
    auth: AUTHS[from.number()] ?? 'none',
    client: from.textOrNull(),
    idempotencyKey: from.textOrNull(),
    trace: from.textOrNull(),
    tags: from.isNothing() ? [] : from.list((one) => one.text()),
    replayOf: from.textOrNull(),
  };
}

/** Written by `packContent`; reads to the end. */
function readContent(from: Unpacker): StoredRequest['content'] {
  from.array();
  const method = from.text();
  const path = from.text();
  const headers = from.isNothing() ? [] : (JSON.parse(from.text()) as HeaderList);
  const fetch = from.isNothing() ? undefined : (JSON.parse(from.text()) as StoredRequest['content']['fetch']);
  const body = bodyOf(from.number(), from);
  return { method, path, headers, body, ...(fetch !== undefined && { fetch }) };
}

function bodyOf(kind: number, from: Unpacker): Body {
  if (kind === BODY_KINDS.none) return null;
  return kind === BODY_KINDS.text ? from.rest().toString('utf8') : new Uint8Array(from.rest());
}

/** A whole record: its row (nothing where the record's own is the present one), its result, its record, where it belongs. */
export function readRecord(from: Unpacker): StoredRequest {
  from.array();
  const own = from.isNothing() ? undefined : from.bytes();
  const tail = from.bytes();
  const record = new Unpacker(from.bytes());
  const zone = from.text();
  const channel = from.text();
  const sender = from.text();
  let row: Row;
  if (own === undefined) row = readRow(record);
  else {
    row = readRow(new Unpacker(own));
    record.skip();
  }
  const fixed = readFixed(record);
  const content = readContent(record);
  const ended = isTerminal(row.state);
  return {
    id: row.id,
    zone,
    channel,
    sender,
    ephemeral: (row.flags & EPHEMERAL) !== 0,
    content,
    effect: fixed.effect,
    harmless: (row.flags & HARMLESS) !== 0,
    lane: fixed.lane,
    after: fixed.after,
    refs: fixed.refs,
    principal: fixed.principal,
    auth: fixed.auth,
    client: fixed.client,
    key: fixed.key,
    fingerprint: row.fingerprint,
    digest: fixed.digest,
    idempotencyKey: fixed.idempotencyKey,
    base: row.base === null ? null : (JSON.parse(row.base) as Json),
    priority: row.priority,
    notBefore: row.notBefore,
    expiresAt: row.expiresAt,
    acceptedAt: row.acceptedAt,
    trace: fixed.trace,
    tags: fixed.tags,
    durable: (row.flags & DURABLE) !== 0,
    replayOf: fixed.replayOf,
    bytes: row.bytes,
    seq: row.seq,
    state: row.state,
    reason: row.reason,
    rank: row.rank,
    dueAt: row.dueAt,
    firstSentAt: row.firstSentAt,
    progress: progressOf(row),
    lease: row.worker === null ? null : { token: row.token, worker: row.worker, until: row.until },
    callers: row.callers,
    endedAt: ended ? row.endedAt : null,
    endedSeq: ended ? row.endedSeq : null,
    result: resultOf(tail),
    told: (row.flags & TOLD) !== 0,
    replayedAs: row.replayedAs,
    version: RECORD_VERSION,
  };
}

/** A lost lease puts a request in doubt without reading what the engine noted. */
function progressOf({ progress, flags }: Row): Progress {
  const noted = decodeProgress(progress);
  return (flags & UNRESOLVED) !== 0 && !noted.unresolved ? { ...noted, unresolved: true } : noted;
}

function resultOf(tail: Buffer): StoredRequest['result'] {
  if (tail.length === 0) return null;
  const from = new Unpacker(tail);
  from.array();
  const status = from.number();
  const head = from.text();
  return decodeResult(status, head, from.boolean() ? new Uint8Array(from.rest()) : null);
}

export interface PlaceNames {
  readonly zone: string;
  readonly channel: string;
  readonly sender: string;
}

/** A place with its counters. */
export interface PlaceCounts extends PlaceNames {
  readonly counts: readonly number[];
  readonly sizes: readonly number[];
}

const STATES = 10;
const LIVE_STATES = 6;

export function readPlace(from: Unpacker): PlaceCounts {
  from.array();
  const zone = from.text();
  const channel = from.text();
  const sender = from.text();
  const counts = Array.from({ length: STATES }, () => from.number());
  const sizes = Array.from({ length: LIVE_STATES }, () => from.number());
  from.number(); // those that a deadline can end: the script's own
  return { zone, channel, sender, counts, sizes };
}

/** One row per zone, channel, sender and state; what has ended has no sender. */
export function countRows(places: readonly PlaceCounts[]): CountRow[] {
  const rows = new Map<string, { -readonly [Key in keyof CountRow]: CountRow[Key] }>();
  for (const { zone, channel, sender, counts, sizes } of places) {
    for (const [code, count] of counts.entries()) {
      if (count === 0) continue;
      addCount(rows, { zone, channel, sender, state: stateOf(code), count, bytes: sizes[code] ?? 0 });
    }
  }
  return [...rows.values()];
}

export function addCount(rows: Map<string, { -readonly [Key in keyof CountRow]: CountRow[Key] }>, row: CountRow): void {
  const ended = isTerminal(row.state);
  const sender = ended ? '' : row.sender;
  const name = JSON.stringify([row.zone, row.channel, sender, row.state]);
  const sum = rows.get(name);
  const bytes = ended ? 0 : row.bytes;
  if (sum === undefined) rows.set(name, { ...row, sender, bytes });
  else {
    sum.count += row.count;
    sum.bytes += bytes;
  }
}

const ACCEPTED = 0;
const JOINED = 1;
const REASONS_OF_REFUSAL = ['full', 'keyConflict', 'dependency', 'neighbour'] as const;

export function readEnqueueResult(from: Unpacker, id: string): EnqueueResult {
  const length = from.array();
  const status = from.number();
  if (status === ACCEPTED) {
    const seq = from.number();
    const state = stateOf(from.number());
    return { status: 'accepted', id, seq, state, token: from.numberOrNull(), dueAt: from.numberOrNull() };
  }
  if (status === JOINED) {
    return { status: 'joined', id: idOf(from.bytes()), seq: from.number(), state: stateOf(from.number()) };
  }
  const given = from.text();
  const why = REASONS_OF_REFUSAL.find((known) => known === given) ?? 'full';
  if (why === 'keyConflict')
    return { status: 'refused', why, detail: `the key belongs to request ${idOf(from.bytes())}` };
  if (why !== 'dependency') {
    const text = from.text();
    return {
      status: 'refused',
      why,
      detail: why === 'full' ? text : `another request of the batch was refused (${text})`,
    };
  }
  const predecessor = idOf(from.bytes());
  const state = length > 3 && !from.isNothing() ? stateOf(from.number()) : undefined;
  const detail = state === undefined ? 'is not known' : `ended ${state}`;
  return { status: 'refused', why, detail: `request ${predecessor} ${detail}` };
}

const DONE = 0;
const REFUSED = 1;

export function readSettleResult(from: Unpacker): SettleResult {
  from.array();
  const status = from.number();
  if (status === REFUSED) return { status: 'stale', state: stateOf(from.number()) };
  if (status !== DONE) return { status: 'notFound' };
  const state = stateOf(from.number());
  return { status: 'settled', state, endedSeq: from.numberOrNull(), ended: readEnded(from), moved: readMoved(from) };
}

export function readAmendResult(from: Unpacker): AmendResult {
  from.array();
  const status = from.number();
  if (status === REFUSED) return { status: 'refused', state: stateOf(from.number()) };
  if (status !== DONE) return { status: 'notFound' };
  const state = stateOf(from.number());
  from.skip();
  return { status: 'amended', state, ended: readEnded(from), moved: readMoved(from) };
}

export function readEnded(from: Unpacker): EndedRequest[] {
  return from.list((one) => {
    one.array();
    return {
      id: idOf(one.bytes()),
      zone: one.text(),
      state: stateOf(one.number()) as EndedRequest['state'], // it has ended
      reason: reasonOf(one.number()),
      endedSeq: one.number(),
    };
  });
}

export function readMoved(from: Unpacker): MovedRequest[] {
  return from.list((one) => {
    one.array();
    return {
      id: idOf(one.bytes()),
      zone: one.text(),
      channel: one.text(),
      state: stateOf(one.number()),
      reason: reasonOf(one.number()),
      dueAt: one.numberOrNull(),
    };
  });
}
