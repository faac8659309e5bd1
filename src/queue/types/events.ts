import type { Effect, RequestFilter } from './request.ts';
import type { PriorityStrategy } from './scheduling.ts';
import type { Reason, RequestState, TerminalState } from './states.ts';

/**
 * What kind of a conflict an answer speaks of: the server has another version (`changed`), has one like it already (`exists`), has it no
 * more (`gone`), or wants to know which version is meant (`required`).
 */
export type ConflictTrigger = 'changed' | 'exists' | 'gone' | 'required';
/** What became of a conflict. */
export type ConflictAction = 'acceptRemote' | 'resend' | 'noop' | 'hold' | 'reject';

/** How near a queue is to what it can take: each level includes what the ones before it do without. */
export type Level = 'normal' | 'elevated' | 'high' | 'critical';

interface Base {
  /** Epoch ms at which the fact was durable. */
  readonly at: number;
  /** Name of the queue. */
  readonly queue: string;
}

interface OfRequest extends Base {
  readonly requestId: string;
  readonly zone: string;
}

interface OfBatch extends Base {
  readonly zone: string;
  readonly channel: string;
  readonly adapter: string;
}

interface OfBreaker extends Base {
  readonly zone: string;
  /** The zone, or `zone#endpoint`. */
  readonly channel: string;
  readonly reason: string;
  /** Share of the calls of its window that failed, the share at which it opens, and the usual one. */
  readonly failureRate: number;
  readonly threshold: number;
  readonly baseline: number;
}

/** Every event, by name: `subject:pastTense`, one readonly, JSON-safe object each. */
export interface QueueEventMap {
  /** It is stored, and waits in `state`. */
  'request:accepted': OfRequest & {
    readonly state: RequestState;
    readonly method: string;
    readonly effect: Effect;
    readonly lane: string | null;
  };
  /** A call joined it instead of being stored itself. */
  'request:deduplicated': OfRequest & { readonly state: RequestState };
  /** An attempt begins; `attempt` is its number in the record, from 1. */
  'request:dispatched': OfRequest & { readonly attempt: number };
  /**
   * An attempt failed and another one follows, not before `dueAt` (epoch ms). Its answer had `status`, or it had none and the transport's
   * code is in `error`.
   */
  'request:retrying': OfRequest & {
    readonly attempt: number;
    readonly dueAt: number;
    readonly status: number | null;
    readonly error: string | null;
  };
  /** It may or may not have been applied: it is being found out. `attempt` is null where no attempt of this process left it so. */
  'request:unknown': OfRequest & { readonly attempt: number | null; readonly reason: Reason };
  /** What became of an unknown or held one is known, or decided. */
  'request:resolved': OfRequest & {
    readonly how: 'resend' | 'probe' | 'lateAnswer' | 'reconcile' | 'operator';
    readonly state: RequestState;
  };
  /** Set aside until somebody or something decides: `queue.held`. */
  'request:held': OfRequest & { readonly reason: Reason };
  /** The server has something else than the request was made for; `round` counts from 1. */
  'conflict:detected': OfRequest & { readonly trigger: ConflictTrigger; readonly round: number };
  /** What a strategy made of it. The versions it looked at are in the history stream `conflicts`. */
  'conflict:resolved': OfRequest & { readonly strategy: string; readonly action: ConflictAction };
  /** It was answered with an answer of before, and is not stored: its zone takes no call. */
  'read:servedStale': OfRequest & { readonly ageMs: number };
  /** A local id stands for a server id from now on. */
  'id:bound': OfRequest & { readonly localId: string; readonly serverId: string | number; readonly type: string };
  /** No longer set aside: it will be sent. */
  'request:released': OfRequest & { readonly state: RequestState };
  /**
   * Once per request, whatever the end, by the process that stored it. One that dies just then tells nobody: durable subscriptions miss
   * nothing.
   */
  'request:settled': OfRequest & {
    readonly state: TerminalState;
    readonly reason: Reason;
    readonly status: number | null;
    readonly durationMs: number | null;
  };
  /** A call that several requests shared is over; `size` of them. Null: no status came back. */
  'batch:sent': OfBatch & { readonly size: number; readonly status: number | null; readonly durationMs: number };
  /** A batch of `from` requests was not taken whole (`why`: the status): it is sent again in halves, of `to` at most. */
  'batch:split': OfBatch & { readonly from: number; readonly to: number; readonly why: number };
  /** It answers again, after so many ms. */
  'zone:online': Base & { readonly zone: string; readonly offlineMs: number };
  /** It cannot be reached; `error` is the code of the last failure, or else its message. What waits for it goes on waiting. */
  'zone:offline': Base & { readonly zone: string; readonly error: string | null };
  /** Somebody else answers in its place: a sign-in page, a gateway. */
  'zone:captive': Base & { readonly zone: string };
  /** The server asked for no calls until then (epoch ms); `channel` differs from `zone` where it meant an endpoint. */
  'zone:limited': Base & { readonly zone: string; readonly channel: string; readonly until: number };
  /** Its calls go to another zone from now on: to one that takes them, while it takes none. */
  'zone:failedOver': Base & { readonly zone: string; readonly to: string };
  /** Its calls go to itself again. */
  'zone:failedBack': Base & { readonly zone: string; readonly from: string };
  /** So many of its retries failed that others are made later. Once per dry spell. */
  'zone:retriesDeferred': Base & { readonly zone: string };
  /** It fails too often: nothing is sent until `until` (epoch ms; null while somebody isolates it). */
  'breaker:opened': OfBreaker & { readonly until: number | null; readonly tries: number };
  /** It is found out with few calls whether it works again. */
  'breaker:halfOpened': OfBreaker;
  /** It works again, and is given more calls from minute to minute. */
  'breaker:recovering': OfBreaker;
  /** It is given all its calls again. */
  'breaker:closed': OfBreaker;
  /** Fewer or more calls at once than before, for what calls met. */
  'limit:changed': Base & {
    readonly zone: string;
    readonly channel: string;
    readonly from: number;
    readonly to: number;
    readonly cause: string;
  };
  /** Calls of that kind usually take longer or shorter than before: attempts are given another time. */
  'timeout:changed': Base & {
    readonly zone: string;
    readonly channel: string;
    readonly operation: 'read' | 'write' | 'bulk';
    readonly fromMs: number;
    readonly toMs: number;
  };
  /** By `queue.pause()`; null: all zones. */
  'zone:paused': Base & { readonly zone: string | null };
  /** By `queue.resume()`; null: all zones. */
  'zone:resumed': Base & { readonly zone: string | null };
  /** A schedule made a request: for the due time `dueAt`, or by hand (null). */
  'schedule:fired': Base & {
    readonly name: string;
    readonly dueAt: number | null;
    readonly requestId: string;
    readonly lateMs: number;
  };
  /**
   * Due times of a schedule from `from` to `to` made no request: nobody could fire (`late`), the request before had not ended (`overlap`), or it
   * cannot be accepted (`refused`, with the code of the error). Of a cron that was far behind, `count` is what was counted, and there were more.
   */
  'schedule:missed': Base & {
    readonly name: string;
    readonly from: number;
    readonly to: number;
    readonly count: number;
    readonly isExact: boolean;
    readonly cause: 'late' | 'overlap' | 'refused';
    readonly code: string | null;
  };
  /** The store is open and repaired, and sending begins: `waiting` requests have not ended. */
  'queue:started': Base & { readonly worker: string; readonly waiting: number };
  /** All that waited has the order of that strategy; `requests` were given another rank. Told by the process that did it. */
  'queue:reranked': Base & { readonly strategy: PriorityStrategy; readonly requests: number };
  /** A call was refused with `QUEUE_FULL`. */
  'queue:full': Base & { readonly waiting: number };
  /** How near the queue is to what it can take; `pressure` is smoothed, 0 to 1 and above. */
  'queue:levelChanged': Base & { readonly from: Level; readonly to: Level; readonly pressure: number };
  /** A new call was refused for the load. */
  'queue:shed': Base & { readonly priority: number; readonly level: Level };
  /** Nobody waits for `idle()` any more: what was waited for came to rest, or the queue closes. Not told unless somebody asked. */
  'queue:idle': Base;
  /** After it, nothing is told any more. */
  'queue:closed': Base;
  /** The store does not answer, or refuses: `code` is that of the error. Once, until it works again. */
  'backend:failed': Base & { readonly code: string; readonly message: string };
  /** The store works again. */
  'backend:recovered': Base;
}

export type QueueEventName = keyof QueueEventMap;

/** Where events come from, as observers see it. */
export interface EventSource {
  /** Returns its undo. */
  on<N extends QueueEventName>(name: N, listener: (event: QueueEventMap[N]) => void): () => void;
}

/** What a durable subscriber is told of each request that ended, at least once, in the order of ending. */
export interface SettledNotice {
  readonly requestId: string;
  readonly zone: string;
  readonly state: TerminalState;
  readonly reason: Reason;
  readonly status: number | null;
  readonly tags: readonly string[];
  readonly endedAt: number;
}

export type SettledFilter = RequestFilter;
