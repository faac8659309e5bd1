import type { Binding } from './binding.ts';
import type { ClaimTerms } from './claimTerms.ts';
import type { ExpireResult, PurgeQuery, RecoverQuery, RecoverResult } from './housekeeping.ts';
import type { MovedRequest } from './moved.ts';
import type {
  EndedRequest,
  NewRequest,
  Progress,
  RankForm,
  RankRaise,
  RequestFilter,
  Sender,
  StoredRequest,
  StoredResult,
} from './request.ts';
import type { Reason, RequestState, TerminalState } from './states.ts';

/**
 * The store of requests: a small contract of atomic, batch-shaped verbs.
 *
 * Rules for every verb: it is one atomic step; arrays in, results in the same order; each item of a batch has its own
 * result and a bad one does not fail its neighbours; a promise that resolved means "committed to the durability in
 * `capabilities`"; a crash before that leaves either all of the step or none of it. Verbs called by one handle take
 * effect in call order. `now` is wall time (epoch ms); `leaseNow` is the monotonic time leases are judged by.
 *
 * Lanes: of the live (not terminal) requests of one lane only the one with the lowest `seq` may be anything but
 * `blocked` (or `held`, when set aside while it waited). When it ends, the next becomes ready or scheduled in the same
 * step. A lane's head takes the best rank waiting in its lane (see {@link RankForm}).
 */
export interface RequestStore {
  /**
   * Accepts requests. Per request, in this order: same `id` → its present record again; its schedule is at another
   * version than {@link Firing} names → `fired`; same `key` → `joined`, or `keyConflict` if the digests differ; a request its join rule allows → `joined` (priority and rank become the
   * better, the deadline the later, `callers` grows by one); over a limit → `full`; an `after` that is unknown or did
   * not succeed → `dependency`; else stored `ready`, `scheduled` or `blocked`.
   * With `atomic`, one refusal refuses all and stores nothing.
   * With `claim`, a stored request is leased at once (`token` in the result) if it would be ready, nothing of its
   * (channel, sender) is ready or due, fewer than the channel's allowance were leased by this call, and its `within` has room.
   * One with `replaces` ends the named request (`superseded`, `squashed`, with `replayedAs` set to the newcomer) in the same
   * step, if that is the last live one of the newcomer's lane, waits (`ready`, `scheduled`, `blocked`), was never sent, belongs
   * to the same principal, and no live request, nor the newcomer, names it in `after`; the newcomer takes the better rank and
   * priority of the two, and `callers` of both. Otherwise it is refused (`replaced`). That is asked after joins and before
   * `after`; limits do not count against it. With a `result` in it, the newcomer ends at once, after the one it replaces: it
   * waits for nothing, lends no rank and is not leased.
   * A request that was accepted elsewhere before (`carried`) joins nothing: a `key` that another id has is `keyConflict`, whatever its
   * digest. It is stored `held` for its reason, or as far as it can get, not before `dueAt` (which a blocked one keeps).
   */
  enqueue(batch: EnqueueBatch): Promise<EnqueueResult[]>;

  /**
   * Leases the best ready requests by (rank, seq): per channel at most `calls * perCall`, over the given senders
   * together. Moves them to `sending`, raises their token, sets `firstSentAt` if unset. Promotes due
   * scheduled requests of the given channels and senders first: at most {@link PROMOTIONS_PER_CLAIM} together, but of each channel
   * as many as it may lease, so that a channel that got fewer has nothing left that is due. A request past its
   * `expiresAt` is not leased but ended (`dead`, `expired`) and reported, unless its `progress.unresolved`. Channels not given are neither read nor written.
   * A channel is done at the first request, in that order, for which its `within` leaves no room ({@link ClaimTerms}): nothing overtakes
   * that one.
   */
  claim(query: ClaimQuery): Promise<ClaimResult>;

  /**
   * Takes requests whose outcome is unknown and which are due for a look, oldest first, at most `limit`. They stay
   * `unknown`, get a new token, and are due again at `until` (wall time) should the taker die.
   */
  claimUnknown(query: UnknownQuery): Promise<StoredRequest[]>;

  /** Extends leases; false where the token is not the current one or the request is not being sent. */
  renew(query: RenewQuery): Promise<boolean[]>;

  /**
   * Records how an attempt (or a look at an unknown request) ended, and with it, in the same step: frees or keeps the
   * lane, unblocks or holds dependants, binds local ids, ends and amends other requests. Needs the current token;
   * otherwise `stale` and nothing changes. Allowed from `sending` and `unknown`.
   *
   * Bindings are made first, then others are ended, then others amended, then the request itself is patched and moved.
   *
   * Whatever ends a request `dead` (this verb or another, victims too, for any reason) does to others what its {@link OnFailure}
   * says. With `halt` the next of its lane, if it would become `ready` or `scheduled` now, is held (`dependency`) instead. With
   * `cascade`, before it ends: its victims are all live requests accepted after it in its lane, all that wait for it, all that
   * wait for a victim, and, where a victim has `cascade` itself, those behind that one in its lane; they end `dead`, `abandoned`,
   * with `bundle` set to the id of the request that failed, in descending order of `seq`, and are reported as ended. What waits
   * for it in `after` is abandoned also when one with `cascade` ends `cancelled` or `superseded`, unless the reason of that is
   * `moved` or `spilled`; its lane then goes on. One that is being sent or unknown is no victim, nor is one for waiting for it. A
   * `limit` counts what the verb takes up itself: victims are no part of it, and what became one before its turn is passed over.
   */
  settle(batch: SettleBatch): Promise<SettleResult[]>;

  /**
   * Changes requests that nobody is sending, where their state is one of `from`. Refused (`refused`, with the state found)
   * otherwise, where {@link TRANSITIONS} has no such move, and where a condition of the change does not hold.
   */
  amend(batch: AmendBatch): Promise<AmendResult[]>;

  /**
   * Repairs what dead workers left, at most `limit` requests per call, and says whether there is more:
   * leased by them → `ready` if harmless else `unknown` due at once (both with `progress.unresolved` set), reason
   * `leaseLost`; waiting only for them (`sender` `process:…`) → ephemeral ones `dead` (`expired`), others `held`
   * (`auth`) with the sender `principal:<principal>`.
   * A worker is dead when its lease of life (see {@link WorkerIdentity}) lapsed, or it provably no longer runs.
   * Expired leases of live workers (a worker that stopped renewing one) are repaired the same way.
   */
  recover(query: RecoverQuery): Promise<RecoverResult>;

  /** Ends (`dead`, `expired`) waiting and held requests past their `expiresAt`, at most `limit`. Never `sending` or `unknown` ones, nor one with `progress.unresolved`: a deadline does not settle a doubt. */
  expire(query: { readonly now: number; readonly limit: number }): Promise<ExpireResult>;

  /** Full records in the order asked; undefined where there is none. */
  get(query: { readonly ids: readonly string[] }): Promise<(StoredRequest | undefined)[]>;

  /**
   * Records that match, by `seq` (`order: 'accepted'`) or `endedSeq` (`order: 'ended'`, terminal ones only), ascending,
   * strictly after the cursor. `next` is the cursor to go on with, null at the end.
   */
  find(query: FindQuery): Promise<FindResult>;

  /**
   * Without a filter: exact, from counters, at a cost that does not grow with the number of requests. With one: exact,
   * by looking.
   */
  count(query: { readonly filter?: RequestFilter | undefined }): Promise<CountRow[]>;

  /**
   * Deletes ended records beyond retention, at most `limit`, oldest first, succeeded before dead: those ended before
   * `now - succeededMs` (succeeded, cancelled, superseded) or `now - deadMs` (dead), then whatever exceeds `maxRecords`
   * or `maxBytes` of ended records. With `ids`, instead, those of them that have ended. Never a record with `endedSeq > keepAfter`, nor one that a live request waits for.
   * Bindings made before `now - 2 * deadMs` by requests whose record is gone by then are forgotten, at most `limit` besides, the
   * oldest first and by local id; and flows that say nothing (see {@link FlowRank}). `more` speaks of both. Neither with `ids`.
   */
  purge(query: PurgeQuery): Promise<{ readonly ids: string[]; readonly more: boolean }>;

  /**
   * The earliest wall time at which a request becomes due by itself (scheduled, unknown, expiry), met already or not; null
   * where there is none. With `after` (epoch ms) the earliest strictly later than that: what waits although its time is
   * met hides nothing. Reads per channel and sender O(1) index entries, at most those up to `after` besides.
   */
  nextDueAt(query: NextDueQuery): Promise<number | null>;

  /** Server ids bound to local ids; undefined where unbound. */
  bindings(query: { readonly localIds: readonly string[] }): Promise<(Binding | undefined)[]>;

  /**
   * Calls back, soon, after changes that another handle (usually another process) committed. Returns its undo.
   * A store that can tell gives the ids of all requests that ended or were held by then; without them it may be any.
   */
  watch(listener: (ended?: readonly string[]) => void): () => void;
}

export const PROMOTIONS_PER_CLAIM = 64;

export interface ChannelSenders {
  readonly channel: string;
  readonly senders: readonly Sender[];
}

export interface EnqueueBatch {
  readonly requests: readonly NewRequest[];
  readonly atomic: boolean;
  readonly now: number;
  readonly limits: {
    /** Requests that are not terminal, over the whole store. */
    readonly maxSize: number;
    /** Their content bytes together. */
    readonly maxBytes: number;
  };
  /** Lease at once what can be: `allowance` calls per channel. */
  readonly claim: {
    readonly worker: string;
    readonly leaseUntil: number;
    readonly allowance: readonly ({ readonly channel: string } & Pick<ClaimTerms, 'calls' | 'within'>)[];
  } | null;
}

export type EnqueueResult =
  | {
      readonly status: 'accepted';
      readonly id: string;
      readonly seq: number;
      readonly state: RequestState;
      /** Lease token when it was claimed at once, else null. */
      readonly token: number | null;
      readonly dueAt: number | null;
    }
  | { readonly status: 'joined'; readonly id: string; readonly seq: number; readonly state: RequestState }
  | {
      readonly status: 'refused';
      readonly why: 'full' | 'keyConflict' | 'dependency' | 'neighbour' | 'replaced' | 'fired' | 'away';
      /** What it collided with, in words for the error message. */
      readonly detail: string;
    };

export interface ClaimQuery {
  readonly worker: string;
  readonly now: number;
  /** Monotonic ms until which the leases hold. */
  readonly leaseUntil: number;
  readonly channels: readonly (ChannelSenders & ClaimTerms)[];
}

export interface ClaimResult {
  readonly claimed: readonly StoredRequest[];
  readonly ended: readonly EndedRequest[];
  /** Others that the ends moved: unblocked, or held for a dead predecessor. */
  readonly moved: readonly MovedRequest[];
}

export interface UnknownQuery {
  readonly worker: string;
  readonly now: number;
  readonly until: number;
  readonly limit: number;
  readonly channels: readonly ChannelSenders[];
}

export interface NextDueQuery {
  readonly channels: readonly ChannelSenders[];
  /** Exclusive; null asks for the earliest of all. */
  readonly after: number | null;
}

export interface RenewQuery {
  readonly worker: string;
  readonly leases: readonly { readonly id: string; readonly token: number }[];
  readonly leaseUntil: number;
}

/** A move of one request. `ready` means "as far as it can get": see {@link TRANSITIONS}. */
export interface Move {
  readonly state: RequestState;
  readonly reason: Reason;
  /** Epoch ms for `scheduled` and `unknown`. */
  readonly dueAt?: number | undefined;
}

export interface RequestPatch {
  readonly priority?: number | undefined;
  /** Computed anew, see {@link RankForm}. What has ended takes no flow rank. */
  readonly rank?: RankForm | undefined;
  readonly raise?: RankRaise | undefined;
  readonly expiresAt?: number | null | undefined;
  readonly sender?: Sender | undefined;
  readonly base?: StoredRequest['base'] | undefined;
  readonly content?: StoredRequest['content'] | undefined;
  readonly progress?: Progress | undefined;
  readonly told?: boolean | undefined;
  readonly replayedAs?: string | undefined;
  /** Added to `callers`. */
  readonly callers?: number | undefined;
  readonly result?: StoredResult | undefined;
}

export interface Change {
  readonly id: string;
  /** States it may be in; else refused. */
  readonly from: readonly RequestState[];
  /** Also refused unless it was never sent. */
  readonly neverSent?: boolean | undefined;
  /** Also refused unless this is the number of callers that share it. */
  readonly callers?: number | undefined;
  /** Also refused unless this is why it is in its state: it may have left and come back for another reason. */
  readonly reason?: Reason | undefined;
  readonly to?: Move | undefined;
  readonly patch?: RequestPatch | undefined;
  /** Local ids bound in the same step, if the change is made, before it is. */
  readonly bind?: readonly Binding[] | undefined;
}

export interface AmendBatch {
  readonly now: number;
  readonly changes: readonly Change[];
}

export type AmendResult =
  | {
      readonly status: 'amended';
      readonly state: RequestState;
      readonly ended: readonly EndedRequest[];
      readonly moved: readonly MovedRequest[];
    }
  | { readonly status: 'refused'; readonly state: RequestState }
  | { readonly status: 'notFound' };

export interface Settlement {
  readonly id: string;
  readonly token: number;
  readonly next: Move;
  readonly progress: Progress;
  /**
   * True when nothing of this attempt reached the server: undoes the `firstSentAt` that its claim set. With a move to `ready` for the reason
   * `accepted` nobody tried at all: it goes back as if it had not been claimed, and keeps its rank.
   */
  readonly notSent?: boolean | undefined;
  readonly result?: StoredResult | undefined;
  readonly told?: boolean | undefined;
  /** Replaces content and base of the request itself: what it will be sent as, or was frozen as when it was sent first. */
  readonly patch?: Pick<RequestPatch, 'content' | 'base'> | undefined;
  readonly bind?: readonly Binding[] | undefined;
  /** Other requests that end with it (cascade, squash). Only those nobody is sending. */
  readonly end?: readonly { readonly id: string; readonly state: TerminalState; readonly reason: Reason }[] | undefined;
  /** Other requests changed with it (versions handed on to siblings). Refusals are ignored. */
  readonly amend?: readonly Change[] | undefined;
}

export interface SettleBatch {
  readonly now: number;
  readonly settlements: readonly Settlement[];
}

export type SettleResult =
  | {
      readonly status: 'settled';
      readonly state: RequestState;
      /** Set when it ended: its place in the order of ending. */
      readonly endedSeq: number | null;
      /** Others that ended in the same step. */
      readonly ended: readonly EndedRequest[];
      readonly moved: readonly MovedRequest[];
    }
  | { readonly status: 'stale'; readonly state: RequestState }
  | { readonly status: 'notFound' };

export interface FindQuery {
  readonly filter: RequestFilter;
  readonly order: 'accepted' | 'ended';
  /** Exclusive; null starts at the beginning. */
  readonly after: number | null;
  readonly limit: number;
}

export interface FindResult {
  readonly requests: readonly StoredRequest[];
  readonly next: number | null;
}

export interface CountRow {
  readonly zone: string;
  readonly channel: string;
  /** Empty for terminal states. */
  readonly sender: Sender;
  readonly state: RequestState;
  readonly count: number;
  /** Content bytes of these requests; 0 for terminal states. */
  readonly bytes: number;
}
