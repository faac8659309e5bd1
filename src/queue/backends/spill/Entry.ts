import type {
  Carried,
  EndedRequest,
  Instruction,
  JoinRule,
  Json,
  NewRequest,
  OnFailure,
  StoredRequest,
} from '../../types/request.ts';
import { NO_PROGRESS } from '../../types/request.ts';
import type { Reason, RequestState } from '../../types/states.ts';
import { isTerminal } from '../../types/states.ts';

/** Places of what has none in the store yet: after all that do, in the order in which it was spilled. */
export const SPILLED_SEQ: number = 2 ** 52;

/** How a request in the spill looks from outside: accepted, and not before something else comes to pass. */
export const SPILLED_STATE: RequestState = 'scheduled';
export const SPILLED_REASON: Reason = 'spilled';

/** What was or may have been handed to the store. Held, so that no deadline and no caller ends it here any more. */
export const ATTEMPTED: Reason = 'upgrade';

/**
 * Where a request in the spill stands:
 * - `waiting`: never handed to the store
 * - `attempted`: handed to it, and the answer is not known
 * - `decided`: ended or to be held; the store is still to learn of it
 * - `moved`: the store has it; the next look deletes it here
 */
export type Standing = 'waiting' | 'attempted' | 'decided' | 'moved';

/** One record of the spill as it is stored there. */
export interface Entry {
  readonly record: StoredRequest;
  readonly standing: Standing;
}

/** What a record of the spill cannot hold in the fields of a request, in place of its `base`. */
interface Envelope {
  readonly spilled: 1;
  readonly base: Json;
  /** The predecessors are in the store, where they will be looked for. */
  readonly after: readonly string[];
  readonly join: JoinRule;
  readonly lastFirst: boolean;
  /** Set where the record says less: see {@link wrap}. */
  readonly onFailure?: OnFailure | undefined;
}

/**
 * The request as the spill stores it. Should it fail there, what is behind it in its lane is never abandoned but held: some of that
 * may have arrived in the store.
 */
export function wrap(request: NewRequest): NewRequest {
  const { base, after, join, rank, onFailure } = request;
  const lastFirst = rank.form !== 'value';
  const envelope: Envelope = { spilled: 1, base, after, join, lastFirst };
  if (onFailure !== 'cascade') return { ...request, after: [], base: sealed(envelope) };
  return { ...request, after: [], onFailure: 'halt', base: sealed({ ...envelope, onFailure }) };
}

/** The base of a record, with the rest of its envelope kept. */
export function rebase(record: StoredRequest, base: Json): Json {
  return sealed({ ...envelopeOf(record), base });
}

export function entryOf(record: StoredRequest): Entry {
  return { record, standing: standingOf(record) };
}

function standingOf({ state, reason }: StoredRequest): Standing {
  if (state === 'held') return reason === ATTEMPTED ? 'attempted' : 'decided';
  if (!isTerminal(state)) return 'waiting';
  return reason === 'moved' ? 'moved' : 'decided';
}

/** The record as it is shown: what has ended as it ended, everything else as spilled. That it is to be held shows when the store has it. */
export function shown({ record, standing }: Entry): StoredRequest {
  const { base, after, onFailure } = envelopeOf(record);
  const own = { ...record, base, after, ...(onFailure !== undefined && { onFailure }) };
  const seq = SPILLED_SEQ + record.seq;
  if (standing !== 'decided' || record.endedSeq === null) {
    const progress = NO_PROGRESS;
    return { ...own, seq, progress, state: SPILLED_STATE, reason: SPILLED_REASON, dueAt: null };
  }
  const endedSeq = SPILLED_SEQ + record.endedSeq;
  return { ...own, seq, endedSeq, ...pastOf(record, record.reason) };
}

/** The end of a request in the spill, in its place after all those of the store. */
export function shownEnd(ended: EndedRequest): EndedRequest {
  return { ...ended, endedSeq: SPILLED_SEQ + ended.endedSeq };
}

/**
 * The request as the store is to take it, with its callers counted if `carriesCallers`. The last of its lane is not joined any
 * more: to send an idempotent write twice is harmless, and whoever waits for it waits for this id.
 */
export function unwrap({ record }: Entry, carriesCallers: boolean): NewRequest {
  const { base, after, join, lastFirst, onFailure } = envelopeOf(record);
  const { callers, told } = record;
  return {
    ...fieldsOf(record),
    ...(onFailure !== undefined && { onFailure }),
    base,
    after,
    join: join.rule === 'tail' ? { rule: 'none' } : join,
    rank: lastFirst ? { form: 'negatedSeq' } : { form: 'value', value: record.rank },
    carried:
      carriesCallers && callers > 1
        ? { ...UNSENT, isHeld: false, reason: 'accepted', dueAt: null, callers, told }
        : undefined,
  };
}

/** The same, to be held there. */
export function unwrapHeld(entry: Entry, reason: Reason): NewRequest {
  const { record } = entry;
  const { callers, told } = record;
  return {
    ...unwrap(entry, false),
    carried: { ...UNSENT, ...pastOf(record, reason), isHeld: true, reason, dueAt: null, callers, told },
  };
}

/**
 * The same, so that the store surely takes it. It claims no key: the request that has it is another one, or this one was never sent.
 */
export function unwrapBare(entry: Entry, reason: Reason): NewRequest {
  const { state, lane } = entry.record;
  return {
    ...unwrapHeld(entry, reason),
    key: null,
    fingerprint: null,
    digest: null,
    join: { rule: 'none' },
    after: [],
    lane: isTerminal(state) ? null : lane,
  };
}

/** Held because nobody knows whether it was sent, it is in doubt as one that was; otherwise it never was. */
function pastOf({ acceptedAt, progress }: StoredRequest, reason: Reason): Pick<Carried, 'firstSentAt' | 'progress'> {
  return reason === 'unknown' ? { firstSentAt: acceptedAt, progress } : { firstSentAt: null, progress: NO_PROGRESS };
}

const UNSENT = { token: 0, firstSentAt: null, progress: NO_PROGRESS, result: null } as const;

function envelopeOf({ base }: StoredRequest): Envelope {
  return base as unknown as Envelope; // made by `sealed` alone: the file is refused where it is not a spill
}

function sealed(envelope: Envelope): Json {
  return envelope as unknown as Json; // plain data throughout
}

/** What a new request and its record share. */
function fieldsOf(record: StoredRequest): Omit<NewRequest, 'rank' | Instruction> {
  const { onFailure, intent } = record;
  return {
    id: record.id,
    zone: record.zone,
    channel: record.channel,
    sender: record.sender,
    ephemeral: record.ephemeral,
    content: record.content,
    effect: record.effect,
    harmless: record.harmless,
    lane: record.lane,
    after: record.after,
    refs: record.refs,
    principal: record.principal,
    auth: record.auth,
    client: record.client,
    key: record.key,
    fingerprint: record.fingerprint,
    digest: record.digest,
    idempotencyKey: record.idempotencyKey,
    base: record.base,
    priority: record.priority,
    notBefore: record.notBefore,
    expiresAt: record.expiresAt,
    acceptedAt: record.acceptedAt,
    trace: record.trace,
    tags: record.tags,
    durable: record.durable,
    replayOf: record.replayOf,
    bytes: record.bytes,
    ...(onFailure !== undefined && { onFailure }),
    ...(intent !== undefined && { intent }),
  };
}
