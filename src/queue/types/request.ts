import type { FlowRank } from './flowRank.ts';
import type { Reason, RequestState, TerminalState } from './states.ts';

/** JSON as stored: no Map, Date, bigint or undefined. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a request does on the server, which decides whether a second send is harmless. */
export type Effect = 'read' | 'absolute' | 'delete' | 'create' | 'action' | 'relative';

export type HeaderList = readonly (readonly [name: string, value: string])[];
export type Body = string | Uint8Array | null;

/**
 * What a call of `fetch` asks of the way it is sent, by the names of `RequestInit`: only where it differs from the defaults of
 * the platform.
 */
export interface FetchTerms {
  /** As it goes on the wire, where that is not in capitals. */
  readonly method?: string | undefined;
  readonly redirect?: 'error' | 'manual' | undefined;
  readonly referrer?: string | undefined;
  readonly referrerPolicy?: string | undefined;
  readonly mode?: string | undefined;
  readonly credentials?: string | undefined;
  readonly cache?: string | undefined;
  readonly integrity?: string | undefined;
}

/** The immutable part of a request: what will be put on the wire, relative to its zone, without any secret. */
export interface RequestContent {
  readonly method: string;
  /** Path and query, starting with `/`, relative to the zone's origin. */
  readonly path: string;
  /** Lower-case names, in the order given. */
  readonly headers: HeaderList;
  readonly body: Body;
  /** Set on calls of `fetch`: sent as the platform's fetch sends them, which follows redirects and adds its own headers. */
  readonly fetch?: FetchTerms | undefined;
}

/** A typed pointer from this request into the result of another one; materialised at first send. */
export interface Reference {
  /** Where the local id stands: `/path`, `/query`, or a JSON pointer below `/body`. */
  readonly at: string;
  /** The local id it stands for. */
  readonly localId: string;
}

/**
 * What becomes of others when a request ends `dead`:
 * - `continue`: the next of its lane goes on; who names it in `after` is held (`dependency`)
 * - `halt`: the next of its lane is held (`dependency`) as well
 * - `cascade`: all behind it in its lane, and all that wait for it, end with it (`abandoned`), in one step and one bundle
 */
export type OnFailure = 'continue' | 'halt' | 'cascade';

/** What becomes of a write whose outcome cannot be found out: held for a person, sent again, or given up. */
export type OnUnknown = 'hold' | 'resend' | 'drop';

/** What was declared of a request beside what goes on the wire. Opaque to backends. */
export interface Intent {
  /** Name of the resource whose rules apply. */
  readonly resource?: string | undefined;
  /** The local id that its result gives a server id to. */
  readonly localId?: string | undefined;
  /** JSON pointer to the server id in its result. */
  readonly yields?: string | undefined;
  readonly onUnknown?: OnUnknown | undefined;
}

/**
 * How the order in its channel is computed, inside `enqueue`, or inside an amendment that gives a request another rank. Ties go by
 * `seq`; the lowest rank is first. A closed table of arithmetic forms, so that every backend computes the same.
 *
 * A lane's head takes the better rank of one behind it whenever that is accepted, given a rank or released, and the best of all when
 * it becomes the head; a flow rank with its group. It keeps what it took until it is given a rank itself, which counts as it is: whoever
 * gives all of a lane new ranks does so in the order of acceptance.
 */
export type RankForm =
  | { readonly form: 'value'; readonly value: number }
  /** `-seq`: last in, first out. */
  | { readonly form: 'negatedSeq' }
  /** In turn with other flows, in proportion to weights: see {@link FlowRank}. */
  | FlowRank;

/**
 * A rank that a request takes if it is better than its own, at nobody's cost: of one that joins it. A flow rank is computed as if that
 * one were stored.
 */
export type RankRaise = Exclude<RankForm, { readonly form: 'negatedSeq' }>;

/**
 * What may join what, decided by the backend in the transaction that would have stored the newcomer:
 * - `none`: nothing but an equal `key`.
 * - `tail`: the last live request of its lane, if never sent, of equal digest and principal.
 * - `window`: any request of equal fingerprint and digest accepted at or after `since`.
 */
export type JoinRule =
  | { readonly rule: 'none' }
  | { readonly rule: 'tail' }
  | { readonly rule: 'window'; readonly since: number };

/**
 * Who may send a request; ready requests are indexed by (channel, sender), so that a process is never offered what it
 * cannot send:
 * - `''`: any process that knows the zone
 * - `client:<name>`: a process with the client of that name constructed on its queue
 * - `process:<worker>`: only the process that accepted it, while it lives (live credentials, reads with a caller)
 * - `principal:<principal>`: any process with a credential of that principal
 *
 * Nobody is the client of a request that is being moved to another store: see `migrateQueue`.
 */
export type Sender = string;

/** A request as handed to a backend. Flat and complete: the backend adds only `seq`, state and rank. */
export interface NewRequest {
  /** UUIDv7. `enqueue` is idempotent by it. */
  readonly id: string;
  readonly zone: string;
  readonly channel: string;
  readonly sender: Sender;
  /** Ends `expired` once the process that asked (in `sender`) is gone: a read whose caller cannot be answered. */
  readonly ephemeral: boolean;
  readonly content: RequestContent;
  readonly effect: Effect;
  /** A lost lease makes it `ready` again instead of `unknown`. */
  readonly harmless: boolean;
  readonly lane: string | null;
  /** Ids it waits for. They must succeed; if one ends otherwise this request is held (`dependency`). */
  readonly after: readonly string[];
  readonly refs: readonly Reference[];
  readonly principal: string;
  readonly auth: 'none' | 'zone' | 'live';
  /** Name of the client whose credentials it needs, or null. */
  readonly client: string | null;
  /** Accepted once per queue while its record is kept. */
  readonly key: string | null;
  /** Candidate hash (16 hex digits), stored only where something may join by it. */
  readonly fingerprint: string | null;
  /** Confirms a fingerprint or key: equal digests mean equal content. */
  readonly digest: string | null;
  readonly join: JoinRule;
  /** The key minted for the server at acceptance, when it is not the id itself. */
  readonly idempotencyKey: string | null;
  /** Precondition and base snapshot of a conditional write. */
  readonly base: Json;
  /** 1 (least) to 10. */
  readonly priority: number;
  readonly rank: RankForm;
  /** Epoch ms before which it is not sent, or null. */
  readonly notBefore: number | null;
  /** Epoch ms after which it is not sent any more, or null. */
  readonly expiresAt: number | null;
  readonly acceptedAt: number;
  readonly trace: string | null;
  readonly tags: readonly string[];
  /** Keep the result of a read too, and keep the request after its caller is gone. */
  readonly durable: boolean;
  /** Id of the dead letter this one replays. */
  readonly replayOf: string | null;
  /** Bytes of content this request is accounted with under `maxBytes`. */
  readonly bytes: number;
  /** Absent: `continue`. */
  readonly onFailure?: OnFailure | undefined;
  /** Absent where nothing was declared, as for nearly all. */
  readonly intent?: Intent | undefined;
  /** Set on what takes the place of an earlier request of its lane: see {@link RequestStore.enqueue}. */
  readonly replaces?: Replacement | undefined;
  /** Set where it was accepted before, by another store: what became of it there. */
  readonly carried?: Carried | undefined;
  /** Set on a request of a schedule: what it does to that. */
  readonly fires?: Firing | undefined;
}

/** What a request says to `enqueue` alone: no record has it. */
export type Instruction = 'join' | 'replaces' | 'carried' | 'fires';

/** What a newcomer does to the last request of its lane, where nothing of that was sent. */
export interface Replacement {
  /** Id of the request whose place it takes. */
  readonly id: string;
  /** Set where nothing is left to do: the newcomer ends at once (`succeeded`, `noop`) with this result. */
  readonly result?: StoredResult | undefined;
}

/**
 * What a request does to the schedule it is a firing of. It is accepted, or joins, only while the schedule is at `version`, and the
 * schedule gets `dueAt`, `data` and the next version in the same step: so each due time fires once, whoever else tries and wherever a
 * process dies. A second firing in one batch finds what the first left. A request that is refused for any reason leaves the schedule as
 * it is. A store that is away, and keeps elsewhere what it can meanwhile, refuses firings (`away`): they stay due.
 */
export interface Firing {
  readonly name: string;
  readonly version: number;
  /** Epoch ms; null: it does not fire by itself again. */
  readonly dueAt: number | null;
  readonly data: Json;
}

/** What a request brings along from the store it was moved out of. */
export interface Carried {
  /** Stored `held`, for `reason`. Otherwise as far as it can get: `blocked`, `scheduled` or `ready`. */
  readonly isHeld: boolean;
  /** Why it is held, ready, or scheduled for `dueAt`. */
  readonly reason: Reason;
  /** Epoch ms before which it is not sent, or null. Not kept where it is held. */
  readonly dueAt: number | null;
  /** Counter of its leases so far: the next one's token is higher. */
  readonly token: number;
  readonly firstSentAt: number | null;
  readonly progress: Progress;
  readonly callers: number;
  readonly result: StoredResult | null;
  readonly told: boolean;
}

export type AttemptPhase = 'notSent' | 'sent' | 'answered';
/** What an attempt proved. */
export type Outcome = 'applied' | 'notApplied' | 'unknown';

export interface Attempt {
  /** 1-based: the lease token it ran under. */
  readonly n: number;
  /** Epoch ms of its end. */
  readonly at: number;
  readonly phase: AttemptPhase;
  readonly outcome: Outcome;
  readonly status: number | null;
  /** Code of the transport error, or null. */
  readonly error: string | null;
  /** Origin it was sent to. */
  readonly origin: string;
  /** Name of the zone's own rules (`profile`) it was judged by. */
  readonly profile?: string | undefined;
}

/** The engine's memory of a request between attempts. Opaque to backends: `settle` and `amend` replace it whole. */
export interface Progress {
  /** Attempts that count against `maxAttempts`. */
  readonly faults: number;
  /** Previous backoff delay in ms, from which decorrelated jitter draws the next. */
  readonly delayMs: number;
  /** An earlier attempt may have been applied and nothing has resolved it: sticky until resolved. */
  readonly unresolved: boolean;
  /** Epoch ms of the first attempt that may have been applied; absent where only `firstSentAt` tells. */
  readonly unresolvedSince?: number | undefined;
  /** Epoch ms since which answers have been failing, or null. */
  readonly failingSince: number | null;
  /** How often its zone had served anyone when its last zone fault happened. */
  readonly servedBefore: number | null;
  /** How often it has been probed since it became unknown. */
  readonly probes: number;
  /** Which content it has by now: raised whenever a conflict changed what is sent, and with it the key. Absent: 1. */
  readonly generation?: number | undefined;
  /** The server will answer every send with its present key as it did before, or does not know that key any more: to send it again proves nothing. */
  readonly isKeySpent?: true | undefined;
  /** Epoch ms since which it has its present key; absent: since its first send. */
  readonly keyedAt?: number | undefined;
  /** Conflicts reconciled so far; absent: none. */
  readonly rounds?: number | undefined;
  /** The last attempts, newest last, at most 20. */
  readonly attempts: readonly Attempt[];
}

export const NO_PROGRESS: Progress = Object.freeze({
  faults: 0,
  delayMs: 0,
  unresolved: false,
  failingSince: null,
  servedBefore: null,
  probes: 0,
  attempts: Object.freeze([]),
});

/** An answer of the server, as given to callers and stored with a settlement. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: HeaderList;
  /** Empty where the answer is `live` and not held back until its end. */
  readonly body: Uint8Array;
  /** Where it is not the usual one for the status. */
  readonly statusText?: string | undefined;
  /** Where redirects led to another URL than the one asked for. */
  readonly url?: string | undefined;
  /** The answer as it comes in, for the one caller that waits for it. */
  readonly live?: LiveAnswer | undefined;
}

/** An answer that its caller takes over from the wire. Exactly one of `take` and `release` is called. */
export interface LiveAnswer {
  /** `body` is not the whole of it: only who takes it gets that. */
  readonly isPartial: boolean;
  /** To ask once more for the rest is harmless. */
  readonly isRepeatable: boolean;
  /** The platform's own response, with `headers` added; undefined when it was taken or let go before. */
  take(options?: {
    readonly headers?: HeaderList | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<Response> | undefined;
  /** Headers and body as they came, encodings included, once all of it is there. */
  whole(): { readonly headers: HeaderList; readonly body: Uint8Array } | undefined;
  /** Has what its taker reads noted for others, too. Before it is taken; once. */
  copyTo(copy: AnswerCopy): void;
  /** Nobody wants it: closes the wire. */
  release(): void;
}

/** Who wants an answer beside its taker, if it is read to its end. */
export interface AnswerCopy {
  /** So many more bytes came. Whether they are to be kept: after a false nothing is. */
  takes(bytes: number): boolean;
  /** All of it, decoded; undefined where that was not to be had. Once. */
  over(whole: HttpResponse | undefined): void;
}

export interface StoredResult {
  readonly status: number;
  readonly headers: HeaderList;
  /** Where it is not the usual one for the status. */
  readonly statusText?: string | undefined;
  /** Where redirects led to another URL than the one asked for. */
  readonly url?: string | undefined;
  /** Null when the body was larger than `maxStoredResultBytes` or lost on the way. */
  readonly body: Uint8Array | null;
}

export interface Lease {
  /** Counter of its own per request, apart from attempts; `settle` and `renew` need it. */
  readonly token: number;
  readonly worker: string;
  /** Monotonic ms at which it lapses unless renewed. */
  readonly until: number;
}

/** A request as stored and looked up. JSON-safe but for bodies. */
export interface StoredRequest extends Omit<NewRequest, 'rank' | Instruction> {
  /** Order of acceptance, given by the backend. */
  readonly seq: number;
  readonly state: RequestState;
  readonly reason: Reason;
  readonly rank: number;
  /** Group of the flow rank it has, its own or lent; absent where its rank is of another form. */
  readonly rankGroup?: string | undefined;
  /** Epoch ms: when a `scheduled` request is due, or an `unknown` one is looked at next. */
  readonly dueAt: number | null;
  /** Epoch ms of the first claim that may have reached the server, or null: never sent. */
  readonly firstSentAt: number | null;
  readonly progress: Progress;
  readonly lease: Lease | null;
  /** Accepted callers that share it, over all processes. */
  readonly callers: number;
  readonly endedAt: number | null;
  /** Order of ending, given by the backend; null while not terminal. */
  readonly endedSeq: number | null;
  readonly result: StoredResult | null;
  /** A waiting caller was given the answer that ended it. */
  readonly told: boolean;
  /** Id of the request that replays this dead letter, or that took its place. */
  readonly replayedAs: string | null;
  /** Id of the request whose failure ended this one (`abandoned`); absent otherwise. */
  readonly bundle?: string | undefined;
  /** Version of the record's layout. */
  readonly version: number;
}

/** What an event about an ended request needs. */
export interface EndedRequest {
  readonly id: string;
  readonly zone: string;
  readonly state: TerminalState;
  readonly reason: Reason;
  readonly endedSeq: number;
}

/** One filter for every listing, count, wait and bulk verb. Fields are combined with AND; an array means "any of". */
export interface RequestFilter {
  readonly ids?: readonly string[] | undefined;
  readonly key?: string | undefined;
  readonly state?: RequestState | readonly RequestState[] | undefined;
  readonly reason?: Reason | readonly Reason[] | undefined;
  readonly zone?: string | undefined;
  readonly lane?: string | undefined;
  readonly principal?: string | undefined;
  /** All of them must be present. */
  readonly tags?: readonly string[] | undefined;
  /** Epoch ms, exclusive. */
  readonly acceptedBefore?: number | undefined;
  /** Epoch ms, inclusive. */
  readonly acceptedAfter?: number | undefined;
  /** Those that ended with this request, by its id. */
  readonly bundle?: string | undefined;
}
