import type { ErrorCode } from '../../../errors.ts';
import type { WorkerIdentity } from '../../types/backend.ts';
import type { Binding } from '../../types/binding.ts';
import type { SendingLimit } from '../../types/claimTerms.ts';
import type { ExpireResult, RecoverQuery } from '../../types/housekeeping.ts';
import type { MovedRequest } from '../../types/moved.ts';
import type { EndedRequest, RequestContent, RequestFilter } from '../../types/request.ts';
import type { ClaimQuery, CountRow, EnqueueResult, NextDueQuery, UnknownQuery } from '../../types/store.ts';
import type { SqlValue } from './driver.ts';

/**
 * What crosses between the caller's thread and the one that owns the database. Frequent things are arrays of plain values,
 * already in the form in which they are stored: cloning an object of thirty fields costs more than storing it.
 */

export const JOIN_NONE = 0;
export const JOIN_TAIL = 1;
export const JOIN_WINDOW = 2;

/** What a new request brings from another store. `progress` as it is stored. */
export interface PackedCarried {
  readonly isHeld: boolean;
  readonly reason: number;
  readonly due: number | null;
  readonly token: number;
  readonly firstSent: number | null;
  readonly progress: string | null;
  /** Bits of `flags.ts` that its past sets. */
  readonly flags: number;
  readonly callers: number;
  readonly result: PackedResult | null;
}

/** A flow rank that is computed by the store. */
export type PackedFlow = readonly [group: string, flow: string, share: number];

/** What a request keeps of its flow rank, see `turn` of migration 3. */
export function readTurn(stored: string): PackedFlow {
  return JSON.parse(stored) as PackedFlow; // as `ranks.ts` wrote it
}

/** Null stands for the negated `seq`. */
export type PackedRank = number | null | PackedFlow;

/** A new request. */
export type PackedNew = readonly [
  id: string,
  zone: string,
  channel: string,
  sender: string,
  flags: number,
  lane: string | null,
  line: number | null,
  after: readonly string[] | null,
  principal: string,
  key: string | null,
  fp: number | null,
  digest: string | null,
  join: number,
  since: number,
  priority: number,
  rank: PackedRank,
  notBefore: number | null,
  expires: number | null,
  accepted: number,
  bytes: number,
  head: string,
  body: string | Uint8Array | null,
];

export interface PackedReplacement {
  readonly id: string;
  /** Set where the newcomer ends at once. */
  readonly result: PackedResult | null;
}

/** `version` of one that cannot be stored is none that there is. */
export interface PackedFiring {
  readonly name: string;
  readonly version: number;
  readonly due: number | null;
  /** JSON text. */
  readonly data: string;
}

/** The elements more are absent from nearly all. */
export type PackedRequest = readonly [
  ...PackedNew,
  carried?: PackedCarried | undefined,
  replaces?: PackedReplacement | undefined,
  fires?: PackedFiring | undefined,
];

export type PackedEnqueue = readonly [
  now: number,
  atomic: boolean,
  maxSize: number,
  maxBytes: number,
  worker: string | null,
  leaseUntil: number,
  allowance: readonly (string | number)[] | null,
  requests: readonly PackedRequest[],
  within?: readonly PackedWithin[] | undefined,
];

/** Absent where no channel of the allowance has limits. */
export type PackedWithin = readonly [channel: string, limits: readonly SendingLimit[]];

export const ACCEPTED = 0;
export const JOINED = 1;
export const REFUSED = 2;

export type Refusal = Extract<EnqueueResult, { status: 'refused' }>['why'];

export type PackedEnqueueResult =
  | readonly [kind: 0, seq: number, state: number, token: number | null, due: number | null]
  | readonly [kind: 1, id: string, seq: number, state: number]
  | readonly [kind: 2, why: Refusal, detail: string];

export type PackedResult = readonly [status: number, headers: string, body: Uint8Array | null];

/** A patch in stored form; absent means unchanged. */
export interface PackedPatch {
  readonly priority?: number;
  readonly rank?: PackedRank;
  readonly raise?: PackedRank;
  readonly expires?: number | null;
  readonly sender?: string;
  /** JSON text. */
  readonly base?: string;
  readonly content?: Pick<RequestContent, 'method' | 'path' | 'fetch'> & { readonly headers: string };
  readonly body?: string | Uint8Array | null;
  readonly progress?: readonly [text: string | null, unresolved: boolean];
  readonly told?: boolean;
  readonly replayedAs?: string;
  readonly callers?: number;
  readonly result?: PackedResult;
}

export interface PackedChange {
  readonly id: string;
  /** Bit `1 << state` for each state it may be in. */
  readonly from: number;
  readonly neverSent: boolean;
  readonly callers: number | null;
  /** Absent: whatever it is. */
  readonly reason?: number;
  readonly to: readonly [state: number, reason: number, due: number | null] | null;
  readonly patch: PackedPatch | null;
  /** Absent from nearly all. */
  readonly bind?: readonly Binding[];
}

/** What a settlement does besides moving its request; most do nothing. */
export interface PackedEffects {
  /** Of the request itself. */
  readonly patch: PackedPatch | null;
  readonly bind: readonly Binding[];
  readonly end: readonly (readonly [id: string, state: number, reason: number])[];
  readonly amend: readonly PackedChange[];
}

export type PackedSettlement = readonly [
  id: string,
  token: number,
  state: number,
  reason: number,
  due: number | null,
  progress: string | null,
  unresolved: boolean,
  notSent: boolean,
  told: boolean | null,
  result: PackedResult | null,
  effects: PackedEffects | null,
];

export const DONE = 0;
export const STALE = 1;
export const NOT_FOUND = 2;

/** What a step did to requests other than the one it names. */
export interface Others {
  readonly ended: readonly EndedRequest[];
  readonly moved: readonly MovedRequest[];
}

/** `others` null: nobody else was touched. Stale: the state found. */
export type PackedSettleResult =
  | readonly [kind: 0, state: number, endedSeq: number | null, others: Others | null]
  | readonly [kind: 1, state: number]
  | readonly [kind: 2];

/** A record as selected by `records.ts`, with zone, channel and sender at its end. */
export type PackedRecord = readonly SqlValue[];

export interface OpenQuery {
  readonly path: string;
  readonly durability: 'full' | 'normal';
  readonly busyTimeoutMs: number;
  readonly identity: WorkerIdentity;
  readonly leaseNow: number;
  readonly leaseMs: number;
}

export interface AliveQuery {
  readonly worker: string;
  /** Null for a worker that is not this handle's own: its row is renewed if it is there. */
  readonly identity: WorkerIdentity | null;
  readonly leaseNow: number;
  readonly leaseMs: number;
}

/** A worker as stored: its identity, and until when (on its own boot's clock) it counts as alive. */
export interface StoredWorker extends WorkerIdentity {
  readonly aliveUntil: number;
  readonly leaseMs: number;
}

/** Who was judged dead, with the sign of life the judgement is based on: a newer one overrules it. */
export interface PackedRecover extends RecoverQuery {
  readonly bootId: string;
  readonly dead: readonly (readonly [worker: string, aliveUntil: number])[];
}

export interface PackedFind {
  readonly filter: RequestFilter;
  readonly order: 'accepted' | 'ended';
  readonly after: number | null;
  readonly limit: number;
}

/** Every verb of the database's thread, with what it takes and gives. */
export interface Verbs {
  enqueue: { takes: PackedEnqueue; gives: PackedEnqueueResult[] };
  claim: { takes: ClaimQuery; gives: ExpireResult & { readonly claimed: PackedRecord[] } };
  claimUnknown: { takes: UnknownQuery; gives: PackedRecord[] };
  renew: {
    takes: { readonly leases: readonly (string | number)[]; readonly leaseUntil: number };
    gives: boolean[];
  };
  settle: { takes: readonly [now: number, settlements: readonly PackedSettlement[]]; gives: PackedSettleResult[] };
  amend: { takes: readonly [now: number, changes: readonly PackedChange[]]; gives: PackedSettleResult[] };
  recover: {
    takes: PackedRecover;
    gives: { readonly recovered: MovedRequest[]; readonly ended: EndedRequest[]; readonly more: boolean };
  };
  expire: { takes: { readonly now: number; readonly limit: number }; gives: ExpireResult };
  get: { takes: readonly string[]; gives: (PackedRecord | undefined)[] };
  find: { takes: PackedFind; gives: { readonly records: PackedRecord[]; readonly next: number | null } };
  count: { takes: RequestFilter | null; gives: CountRow[] };
  purge: {
    takes: {
      readonly now: number;
      readonly limit: number;
      readonly keepAfter: number;
      readonly ids: readonly string[] | null;
      readonly succeededMs: number;
      readonly deadMs: number;
      readonly maxRecords: number;
      readonly maxBytes: number;
    };
    gives: { readonly ids: string[]; readonly more: boolean };
  };
  nextDueAt: { takes: NextDueQuery; gives: number | null };
  bindings: { takes: readonly string[]; gives: (Binding | undefined)[] };
  workers: { takes: null; gives: StoredWorker[] };
  keepAlive: { takes: AliveQuery; gives: null };
  leave: { takes: string; gives: null };
  sharedGet: { takes: readonly [key: string, now: number]; gives: PackedShared | undefined };
  sharedSet: {
    takes: readonly [key: string, value: string, expires: number | null, now: number, ifVersion: number | null];
    gives: number | undefined;
  };
  sharedDelete: { takes: string; gives: boolean };
  sharedList: {
    takes: readonly [prefix: string, now: number, limit: number];
    gives: (readonly [string, PackedShared])[];
  };
  acquire: {
    takes: readonly [key: string, holder: string, permits: number, now: number, expires: number];
    gives: boolean;
  };
  release: { takes: readonly [key: string, holder: string]; gives: boolean };
  take: {
    takes: readonly [key: string, cost: number, ratePerSecond: number, burst: number, now: number];
    gives: number;
  };
  append: { takes: readonly (readonly [stream: string, at: number, data: string])[]; gives: number[] };
  history: {
    takes: readonly [stream: string, after: number, limit: number];
    gives: (readonly [seq: number, at: number, data: string])[];
  };
  trim: { takes: readonly [stream: string, keep: number, before: number]; gives: number };
  scheduleSet: {
    takes: readonly [name: string, due: number | null, data: string, ifVersion: number | null];
    gives: number | undefined;
  };
  scheduleGet: { takes: readonly string[]; gives: (PackedSchedule | undefined)[] };
  scheduleList: { takes: readonly [after: string | null, limit: number]; gives: PackedSchedule[] };
  scheduleDelete: { takes: readonly [name: string, ifVersion: number | null]; gives: boolean };
  scheduleDue: {
    takes: readonly [now: number, limit: number, afterDue: number | null, afterName: string];
    gives: PackedSchedule[];
  };
  scheduleNext: { takes: null; gives: number | null };
}

export type Verb = keyof Verbs;

/** Makes a call on the thread that owns the database. */
export type Call = <V extends Verb, T>(
  verb: V,
  takes: Verbs[V]['takes'],
  decode: (answer: Verbs[V]['gives']) => T,
) => Promise<T>;

export type PackedSchedule = readonly [name: string, version: number, due: number | null, data: string];

export type PackedShared = readonly [value: string, version: number, expires: number | null];

/** Verbs that change nothing: a group of only these takes no write lock. */
export const READS: ReadonlySet<string> = new Set<Verb>([
  'get',
  'find',
  'count',
  'nextDueAt',
  'bindings',
  'workers',
  'sharedGet',
  'sharedList',
  'history',
  'scheduleGet',
  'scheduleList',
  'scheduleDue',
  'scheduleNext',
]);

export interface PackedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly cause: string | null;
}

/** To the database's thread: verbs and what they take, alternating; or a request about the connection itself. */
export type ToWorker =
  | readonly unknown[]
  | { readonly open: OpenQuery }
  | { readonly watch: boolean }
  | { readonly close: true };

/** From it: one answer per verb in the order asked, with errors by position; or a sign that another handle committed. */
export type FromWorker =
  | { readonly answers: readonly unknown[]; readonly errors: readonly (readonly [number, PackedError])[] | null }
  | { readonly changed: true };
