import type { Classified, DelayFunction, ErrorKind } from '../../strategies/decision.ts';
import type { AuthProvider } from '../../types/auth.ts';
import type { Backend } from '../../types/backend.ts';
import type { BatchAdapter } from '../../types/batch.ts';
import type { RequestOptions } from '../../types/calls.ts';
import type { FetchMode, FetchSettings, Offline, Respond } from '../../types/fetch.ts';
import type { Logger } from '../../types/logger.ts';
import type { RedisOptions } from '../../types/redis.ts';
import type { Effect, HeaderList, HttpResponse, RequestContent, StoredRequest } from '../../types/request.ts';
import type { FlowSource, PriorityStrategy } from '../../types/scheduling.ts';
import type {
  AdaptiveTimeoutOptions,
  BreakerOptions,
  ClassLimitOptions,
  EndpointFunction,
  EndpointOptions,
  PriorityShareOptions,
  RateLimitOptions,
  RetryBudgetOptions,
  SheddingOptions,
  StaleReadOptions,
} from './gateOptions.ts';

/** Where requests are stored: by kind, or a backend of your own. */
export type BackendOption =
  | { readonly kind: 'memory' }
  | {
      readonly kind: 'sqlite';
      /** File of the database; missing folders are created. @default './data/<name>.db' */
      readonly path?: string | undefined;
    }
  | ({ readonly kind: 'redis' } & RedisBackendOptions)
  | Backend;

/** A Redis store: where its server is, and what becomes of requests while it cannot be reached. */
export interface RedisBackendOptions extends RedisOptions {
  /**
   * A local SQLite file that accepts requests while Redis cannot; they are sent once they have been moved there. Without it such
   * calls are refused. Missing folders are created.
   */
  readonly spill?: { readonly path: string } | undefined;
}

/** What happens to a new request when `maxSize` or `maxBytes` is reached. */
export type WhenFull = 'reject';

/**
 * `full`: an accepted request survives power loss. `normal`: it survives a killed process, but the last ones may be lost with
 * the power.
 */
export type SqliteDurability = 'full' | 'normal';

/** When callers of writes are told: after the settlement's commit, or before it. */
export type SettleAck = 'durable' | 'early';

/** How long ended requests are kept; whichever limit is reached first, oldest succeeded first. */
export interface RetentionOptions {
  /** For succeeded, cancelled and superseded requests. @default 86_400_000 (24 h) */
  readonly succeededMs?: number | undefined;
  /** For dead letters. @default 2_592_000_000 (30 d) */
  readonly deadMs?: number | undefined;
  /** Ended requests kept at most; looked at twice a minute. @default 100_000 */
  readonly maxRecords?: number | undefined;
  /** Bytes of content and answers of ended requests kept at most. @default 268_435_456 (256 MiB) */
  readonly maxBytes?: number | undefined;
}

/** How long to wait before the next attempt. Server hints override it upward. */
export interface RetryOptions {
  /** The least delay; each next one is drawn at random from here up to three times the one before. @default 500 */
  readonly baseDelayMs?: number | undefined;
  /** While a caller waits it is at most 20,000. @default 60_000 */
  readonly maxDelayMs?: number | undefined;
  /** Your own delay instead of decorrelated jitter. */
  readonly delay?: DelayFunction | undefined;
}

/** How a zone knows a request by a key. */
export interface IdempotencyOptions {
  /** Name of the header the key goes in. */
  readonly header: string;
  /** How long the server remembers a key, from its first use; null when it does not say. @default 86_400_000 (24 h) */
  readonly ttlMs?: number | null | undefined;
  /** `bare`: the key as it is. `string`: quoted, as a structured field (RFC 8941). @default 'bare' */
  readonly quoting?: 'bare' | 'string' | undefined;
  /** Methods whose writes are known by their keys. @default every write */
  readonly methods?: readonly string[] | undefined;
  /** Header that tells when the key was first sent, the same on every send of it. @default none */
  readonly firstSentHeader?: string | undefined;
  /** Header that is `true` on an answer that was given before, to an earlier send. @default none */
  readonly replayHeader?: string | undefined;
  /** Header and value by which an endpoint says that it does not look at keys: from then on they prove nothing. @default none */
  readonly ignoredHeader?: { readonly name: string; readonly value: string } | undefined;
  /** A failure is stored with its key: one that bears `replayHeader` is not sent for again. @default false */
  readonly storesFailures?: boolean | undefined;
}

/**
 * `ietf`: `Idempotency-Key`, quoted. `stripe`: the same, bare, which stores failures too; not for DELETE. Both for 24 h. `stripe-v2`: POST and DELETE, for 30 days.
 * `oasis`: `Repeatability-Request-ID` and `Repeatability-First-Sent`, for 5 minutes.
 */
export type IdempotencyOption = 'ietf' | 'stripe' | 'stripe-v2' | 'oasis' | IdempotencyOptions;

/** What a probe found out of a write whose outcome is unknown. */
export type ProbeVerdict =
  | {
      readonly outcome: 'applied';
      /** Id the server gave, where the write created something. */
      readonly serverId?: string | number | undefined;
    }
  | { readonly outcome: 'notApplied' }
  | { readonly outcome: 'inconclusive' };

/** What a probe is given: the request in doubt, and a way to read from its zone with the request's credentials. */
export interface ProbeContext {
  readonly request: StoredRequest;
  /** Sends a read to the zone; rejects when there is no answer. */
  send(read: {
    readonly method: 'GET' | 'HEAD' | 'QUERY' | 'POST';
    readonly path: string;
    readonly headers?: HeaderList | undefined;
    readonly body?: string | undefined;
  }): Promise<HttpResponse>;
}

/** Finds out whether a write was applied. A rejection counts as inconclusive. */
export type ProbeFunction = (context: ProbeContext) => Promise<ProbeVerdict>;

/** `byResource`: reads the path of a PUT, PATCH or DELETE and compares the fields it sent. For a POST it means nothing: only a function can probe one. */
export type ProbeOption = 'byResource' | ProbeFunction;

/** What to ask a zone that is offline, instead of waiting for a request to try it. */
export interface HealthCheckOptions {
  /** Path on the zone's first origin. */
  readonly path: string;
  /** How it is asked. @default 'GET' */
  readonly method?: 'GET' | 'HEAD' | 'OPTIONS' | undefined;
  /** Only this status counts as reachable. @default any answer */
  readonly expectStatus?: number | undefined;
}

/** What every answer of an API has. One without it came from elsewhere: the zone is `captive` until an answer has it again. */
export interface ExpectOptions {
  /** Content types of answers that have a body. @default any */
  readonly contentTypes?: readonly string[] | undefined;
  /** A header, with a value where that matters. @default none */
  readonly header?: { readonly name: string; readonly value?: string | undefined } | undefined;
}

/**
 * Options for the calls of a zone that fit, between those of the call and those of the zone: besides these, `priority`, `lane`, `effect`, `tags`
 * and `dedupe` of a request, and `respond`, `offline`, `mode`, `honorPrefer` and `noRetryHeaders` of `fetch`.
 */
export interface RuleOptions
  extends FetchSettings,
    Pick<RequestOptions, 'priority' | 'lane' | 'effect' | 'tags' | 'dedupe'> {
  /** Path without query; `*` stands for any part of a segment, `**` for any number of segments. */
  readonly path: string;
  /** Only calls of this method. @default any */
  readonly method?: string | undefined;
  /** For calls of `fetch`, while their caller waits. @default the queue's */
  readonly attemptTimeoutMs?: number | undefined;
}

/** Says what an answer means; see {@link ZoneOptions}. */
export type Classify = (response: HttpResponse) => Classified | undefined;

/** Says of what kind a failure is that never reached the server. `permanent`: a read ends, a write is held (`unreachable`). */
export type ClassifyError = (error: Error & { readonly code?: string | undefined }) => ErrorKind | undefined;

/** One failure domain an API is reached through. */
export interface ZoneOptions {
  /** `https://host[:port]`, aliases of each other; the first is used to send. */
  readonly origins: readonly string[];
  /** Calls under way at once, over all processes that share the store. @default 10 */
  readonly maxConcurrency?: number | undefined;
  /** Its part of `maxConcurrency` of the queue, where calls of several zones wait for that: in proportion to the weights, 0.001 to 1,000. @default 1 */
  readonly weight?: number | undefined;
  /** Fewer calls at once while the zone is slow or refuses them, more again when it serves them. @default true */
  readonly adaptiveConcurrency?: boolean | undefined;
  /** Over all processes that share the store. @default none */
  readonly rateLimit?: RateLimitOptions | undefined;
  /** False: it is never left alone, but while it cannot be reached. @default all defaults */
  readonly breaker?: BreakerOptions | false | undefined;
  /** Endpoints with gates of their own. @default none */
  readonly endpoint?: EndpointFunction | EndpointOptions | undefined;
  /** Limits on calls at once by what they do. @default only `maxConcurrency` */
  readonly classes?: ClassLimitOptions | undefined;
  /** Parts of `maxConcurrency` that less important requests may use. */
  readonly priorityShares?: PriorityShareOptions | undefined;
  /** False: every attempt has `attemptTimeoutMs`. Keyless writes, which cannot be repeated, have at least that in any case. @default all defaults */
  readonly adaptiveTimeout?: AdaptiveTimeoutOptions | false | undefined;
  /** How many retries it gets while it fails. False: as many as are due. @default all defaults */
  readonly retryBudget?: RetryBudgetOptions | false | undefined;
  /** Zones that take its calls while it takes none, the first that does: idempotent ones, and what was provably not sent. A lane stays in one zone. @default none */
  readonly failover?: readonly string[] | undefined;
  /** Answers its reads with the last good answer while it takes no call. @default none */
  readonly staleReads?: StaleReadOptions | undefined;
  /** The API knows requests by a key: sent with every write, which is then safe to resend. @default none */
  readonly idempotency?: IdempotencyOption | undefined;
  /** Corrects the effect that method and content type suggest; undefined leaves it. */
  readonly effectOf?: ((request: RequestContent) => Effect | undefined) | undefined;
  /** Corrects what an answer means, at once; undefined leaves it to the status, and so does anything unknown, which is logged. */
  readonly classify?: Classify | undefined;
  /** Corrects what it means that a call did not reach the server. */
  readonly classifyError?: ClassifyError | undefined;
  /** Name of these rules, which is kept with each attempt. @default none */
  readonly profile?: string | undefined;
  /** How to find out whether a write was applied; a POST only by a function. @default 'byResource' for PUT, PATCH and DELETE; others are held for a person */
  readonly probe?: ProbeOption | undefined;
  /** What to ask it while it is offline. @default a waiting request tries it */
  readonly healthCheck?: HealthCheckOptions | undefined;
  /** By what answers of the API are told from those of a sign-in page, or of a gateway in its place. On plain http, pages in answer to JSON are told without it. @default nothing more */
  readonly expect?: ExpectOptions | undefined;
  /** Credentials for requests that bring none. */
  readonly auth?: AuthProvider | undefined;
  /** More headers and query parameters that are never stored, besides those that look like secrets. */
  readonly secretHeaders?: readonly string[] | undefined;
  /** Protocols by which the API takes several requests in one call; of those that take a request the first does. Of effect with `batchingEnabled`. @default none */
  readonly batch?: BatchAdapter | readonly BatchAdapter[] | undefined;
  /** Retry answered 5xx for every effect: at least once instead of a question. @default false */
  readonly retryAnswered5xx?: boolean | undefined;
  /** Options by path and method; the first that fits counts. @default [] */
  readonly rules?: readonly RuleOptions[] | undefined;
  /** As in the configuration. @default the configuration's */
  readonly respond?: Respond | undefined;
  /** As in the configuration. @default the configuration's */
  readonly offline?: Offline | undefined;
  /** As in the configuration. @default the configuration's */
  readonly mode?: FetchMode | undefined;
  /** As in the configuration. @default the configuration's */
  readonly honorPrefer?: boolean | undefined;
  /** As in the configuration. @default the configuration's */
  readonly noRetryHeaders?: boolean | undefined;
}

/** Flows take turns: whoever has work waiting is sent in proportion to its weight. */
export interface FlowOptions {
  /** What makes a flow: the priority of a request, its first tag that has a weight (else its first tag), or whose it is. @default 'priority' */
  readonly by?: FlowSource | undefined;
  /** By priority (number or name), tag or principal; above 0, the largest at most 1,000 times the least. @default a priority weighs its number, all else 1 */
  readonly weights?: Readonly<Record<string, number>> | undefined;
}

/** Every option of a queue. `undefined` means absent; unknown keys are errors. */
export interface QueueOptions {
  /** Names the queue in events, and its default database. @default 'queue' */
  readonly name?: string | undefined;
  /** Where requests are stored. @default { kind: 'memory' } (production: SQLite) */
  readonly backend?: BackendOption | undefined;
  /** Requests that have not ended. @default 10_000 (production: 100_000) */
  readonly maxSize?: number | undefined;
  /** What becomes of a call beyond `maxSize` or `maxBytes`: it is refused with `QUEUE_FULL`. @default 'reject' */
  readonly whenFull?: WhenFull | undefined;
  /** Content bytes of requests that have not ended. @default 268_435_456 (256 MiB) */
  readonly maxBytes?: number | undefined;
  /** Calls under way at once in this process, over all zones. @default 25 */
  readonly maxConcurrency?: number | undefined;
  /** In which order the requests of a channel are sent. @default 'priority' */
  readonly priorityStrategy?: PriorityStrategy | undefined;
  /** So long a request waits to be treated as one priority level higher. @default 60_000 */
  readonly ageingMs?: number | undefined;
  /** Requests that wait share calls where their zone declares a protocol for it (`batch`). @default false (production: true) */
  readonly batchingEnabled?: boolean | undefined;
  /** Requests in one call at most; fewer while calls of so many fail, or take longer for each. @default 20 */
  readonly maxBatchSize?: number | undefined;
  /** So long a request waits at most for others to share its call; less, down to nothing, where none come. @default 10 */
  readonly batchTimeoutMs?: number | undefined;
  /** Who takes turns under `weighted`, and in which proportion. @default priorities, each weighing its number */
  readonly flows?: FlowOptions | undefined;
  /** What an accepted request survives in SQLite; of no effect on other backends. @default 'full' */
  readonly durability?: SqliteDurability | undefined;
  /** How long ended requests can be looked up. */
  readonly retention?: RetentionOptions | undefined;
  /** How long to wait before the next attempt. */
  readonly retry?: RetryOptions | undefined;
  /** Attempts that failed by the request's own fault before it is given up. @default 8 */
  readonly maxAttempts?: number | undefined;
  /** A write that keeps failing so long is given up. @default 86_400_000 (24 h) */
  readonly giveUpAfterMs?: number | undefined;
  /** So long a read waits to be sent. @default 300_000 (5 min) */
  readonly readTtlMs?: number | undefined;
  /** So long after the first send an unanswered PUT or DELETE is resent without asking. @default 600_000 (10 min) */
  readonly resendWindowMs?: number | undefined;
  /** Two equal POSTs accepted within it are one. @default 0 */
  readonly dedupeWindowMs?: number | undefined;
  /** After so long without a renewal a worker's claim lapses. @default 30_000 */
  readonly leaseMs?: number | undefined;
  /** From the start of a call to the end of its answer, until the zone is known better (`adaptiveTimeout`); set, it is also the longest. @default 30_000 */
  readonly attemptTimeoutMs?: number | undefined;
  /** Refuses less important calls before the queue is full or the process stalls. @default false (production: true) */
  readonly shedding?: boolean | SheddingOptions | undefined;
  /** `close()` waits so long for calls under way. @default 10_000 */
  readonly closeTimeoutMs?: number | undefined;
  /** `early`: callers of writes are told before the commit of the end, which a crash may then take back (`unknown`). @default 'durable' */
  readonly settleAck?: SettleAck | undefined;
  /** Bodies of answers larger than this are not kept. @default 65_536 (64 KiB) */
  readonly maxStoredResultBytes?: number | undefined;
  /** `debug`, `info`, `warn` and `error`, each called with a message and an object of fields. @default silent */
  readonly logger?: Logger | undefined;
  /** Whose requests these are. A function is asked at the call and again at the send, unless the provider tells its `principal`, by the same name. @default derived from the credentials of each call */
  readonly principal?: string | (() => string) | undefined;
  /** False: accepts, looks and decides, but never sends. @default true */
  readonly dispatch?: boolean | undefined;
  /** When `fetch` answers: with the end, or with a 202 once the request is stored. @default 'settled' */
  readonly respond?: Respond | undefined;
  /** What a caller of `fetch` gets while the zone takes no call. @default 'wait' */
  readonly offline?: Offline | undefined;
  /** Whether calls of `fetch` are stored, or sent past the queue. @default 'queue', but 'bypass' for event streams and token requests */
  readonly mode?: FetchMode | undefined;
  /** Whether `fetch` acts on `Prefer: respond-async, wait=n`. @default false */
  readonly honorPrefer?: boolean | undefined;
  /** Whether final failures bear headers that keep an SDK from trying again. @default true */
  readonly noRetryHeaders?: boolean | undefined;
  /** By name. Other origins get a zone of their own, made when first met. @default {} */
  readonly zones?: Readonly<Record<string, ZoneOptions>> | undefined;
}
