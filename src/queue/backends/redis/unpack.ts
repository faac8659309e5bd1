import type { MovedRequest } from '../../types/moved.ts';
import type {
  Body,
  EndedRequest,
  HeaderList,
  Intent,
  Json,
  OnFailure,
  Progress,
  Reference,
  StoredRequest,
} from '../../types/request.ts';
import { isTerminal } from '../../types/states.ts';
import type { AmendResult, CountRow, EnqueueResult, SettleResult } from '../../types/store.ts';
import { decodeProgress, decodeResult, RECORD_VERSION, reasonOf, stateOf } from '../codec.ts';
import { notFired } from '../schedules.ts';
import { ANONYMOUS, AUTHS, BODY_KINDS, COMMON_HEADERS, CONTENT_FIELDS, EFFECTS, METHODS } from './common.ts';
import { ANY_ON_FAILURE, DURABLE, EPHEMERAL, HARMLESS, ON_FAILURE, TOLD, UNRESOLVED } from './flags.ts';
import { digestOf, hashOf, idOf } from './hex.ts';
import { Unpacker } from './msgpack.ts';

type Row = ReturnType<typeof readRow>;

/** The fields of a row, in the order in which the script keeps them; the last ones are left out where there is nothing. */
function readRow(from: Unpacker) {
  const fields = from.array();
  let read = 0;
  const number = (): number | null => (read++ < fields ? from.numberOrNull() : null);
  const text = (): string | null => (read++ < fields ? from.textOrNull() : null);
  const bytes = (): Buffer | null => (read++ < fields && !from.isNothing() ? from.bytes() : null);
  const seq = number() ?? 0;
  const id = idOf(bytes() ?? Buffer.of());
  number(); // its place: named beside the record
  const state = stateOf(number() ?? 0);
  const reason = reasonOf(number() ?? 0);
  const flags = number() ?? 0;
  const rank = number() ?? 0;
  const callers = number() ?? 0;
  const priority = number() ?? 0;
  const acceptedAt = number() ?? 0;
  const size = number() ?? 0;
  const token = number() ?? 0;
  const fingerprint = bytes();
  bytes(); // its lane as indexes name it
  const expiresAt = number();
  const notBefore = number();
  const dueAt = number();
  number(); // predecessors that live
  const firstSentAt = number();
  const worker = text();
  const until = number() ?? 0;
  const progress = text();
  const endedAt = number();
  const endedSeq = number();
  number(); // bytes of its result
  const base = text();
  const replayedAs = text();
  const bundle = bytes();
  const turn = read++ < fields && !from.isNothing() ? readTurn(from) : undefined;
  return {
    seq,
    id,
    state,
    reason,
    flags,
    rank,
    callers,
    priority,
    acceptedAt,
    bytes: size,
    token,
    fingerprint: fingerprint === null ? null : hashOf(fingerprint),
    expiresAt,
    notBefore,
    dueAt,
    firstSentAt,
    worker,
    until,
    progress,
    endedAt,
    endedSeq,
    base,
    replayedAs,
    bundle: bundle === null ? undefined : idOf(bundle),
    rankGroup: turn,
  };
}

/** Of whose turn its rank is, the group. */
function readTurn(from: Unpacker): string {
  from.array();
  const group = from.text();
  from.text(); // the flow
  from.number(); // its share
  return group;
}

/** What never changes: written by `packFixed`. */
function readFixed(from: Unpacker) {
  const fields = from.array();
  let read = 0;
  const isThere = (): boolean => read++ < fields && !from.isNothing();
  const text = (): string | null => (isThere() ? from.text() : null);
  return {
    lane: text(),
    principal: text() ?? ANONYMOUS,
    key: text(),
    digest: isThere() ? digestOf(from.bytes()) : null,
    effect: EFFECTS[isThere() ? from.number() : 0] ?? 'action',
    auth: AUTHS[isThere() ? from.number() : 0] ?? 'none',
    after: isThere() ? from.list((one) => idOf(one.bytes())) : [],
    refs: isThere() ? (JSON.parse(from.text()) as Reference[]) : [],
    client: text(),
    idempotencyKey: text(),
    trace: text(),
    tags: isThere() ? from.list((one) => one.text()) : [],
    replayOf: text(),
    intent: isThere() ? (JSON.parse(from.text()) as Intent) : undefined,
  };
}

/** Written by `packContent`; reads to the end. */
function readContent(from: Unpacker): StoredRequest['content'] {
  const fields = from.array();
  const method = readCommon(METHODS, from);
  const path = from.text();
  const kind = from.number();
  const headers = JSON.parse(readCommon(COMMON_HEADERS, from)) as HeaderList;
  const fetch = fields > CONTENT_FIELDS ? (JSON.parse(from.text()) as StoredRequest['content']['fetch']) : undefined;
  return { method, path, headers, body: bodyOf(kind, from), ...(fetch !== undefined && { fetch }) };
}

/** What a list has at a number, or the text that stands there itself. */
function readCommon(list: readonly string[], from: Unpacker): string {
  return from.isText() ? from.text() : (list[from.number()] ?? '');
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
  const onFailure = onFailureOf(row);
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
    ...(onFailure !== undefined && { onFailure }),
    ...(fixed.intent !== undefined && { intent: fixed.intent }),
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
    ...(row.bundle !== undefined && { bundle: row.bundle }),
    ...(row.rankGroup !== undefined && { rankGroup: row.rankGroup }),
    version: RECORD_VERSION,
  };
}

function onFailureOf({ flags }: Row): OnFailure | undefined {
  switch (flags & ANY_ON_FAILURE) {
    case ON_FAILURE.cascade:
      return 'cascade';
    case ON_FAILURE.halt:
      return 'halt';
    case ON_FAILURE.continue:
      return 'continue';
    default:
      return undefined;
  }
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
const REASONS_OF_REFUSAL = ['full', 'keyConflict', 'dependency', 'neighbour', 'replaced', 'fired'] as const;

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
  if (why === 'replaced') return { status: 'refused', why, detail: `request ${idOf(from.bytes())} ${from.text()}` };
  if (why === 'fired') return notFired(from.text(), from.number());
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
