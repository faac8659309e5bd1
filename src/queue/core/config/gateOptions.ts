import type { RequestContent } from '../../types/request.ts';

/**
 * When a zone, or an endpoint of it, is left alone for a while because it fails. The rate of failures at which it opens is learned from its own
 * usual one; these are its bounds.
 */
export interface BreakerOptions {
  /** Calls of so long are looked at. @default 30_000 */
  readonly windowMs?: number | undefined;
  /** Calls in the window before their rate of failures says anything. @default 10 */
  readonly minimumCalls?: number | undefined;
  /** So many failures in a row open it, where that is no chance. @default 5 */
  readonly consecutiveFailures?: number | undefined;
  /** Open for so long at first, doubled each time it fails again. @default 5_000 */
  readonly openMs?: number | undefined;
  /** Never open for longer, unless the server asks for more. @default 300_000 (5 min) */
  readonly maxOpenMs?: number | undefined;
  /** From a tenth of its calls to all of them, once it works again. @default 60_000 */
  readonly rampMs?: number | undefined;
  /** A probe that has not ended by then has failed. @default 5_000 */
  readonly probeTimeoutMs?: number | undefined;
  /** A call that takes longer is slow. @default the greater of 2_000 and three times the usual 95th percentile */
  readonly slowCallMs?: number | undefined;
}

/** Never more than `max` calls begin in any span of `perMs`. */
export interface RateLimitOptions {
  /** Calls. */
  readonly max: number;
  /** Span in ms, up to ten years. */
  readonly perMs: number;
  /** Calls that may begin at once; the rest is spread over the span. For `tokenBucket`. @default a tenth of `max`, at least 1 */
  readonly burst?: number | undefined;
  /** `tokenBucket`: evenly, after a burst. `slidingWindow`: all at once if need be, counted in sixtieths of the span. @default 'tokenBucket' */
  readonly algorithm?: 'tokenBucket' | 'slidingWindow' | undefined;
}

/** What is limited of an endpoint by itself, beside the limits of its zone. */
export interface EndpointLimitOptions {
  /** Calls under way at once. @default that of the zone */
  readonly maxConcurrency?: number | undefined;
  /** Beside that of the zone. @default none */
  readonly rateLimit?: RateLimitOptions | undefined;
  /** False: it has no breaker of its own. @default all defaults */
  readonly breaker?: BreakerOptions | false | undefined;
}

/** Names the endpoint a request is for, or its tenant, or whatever else fails or is limited by itself; undefined: only the zone counts. */
export type EndpointFunction = (request: RequestContent) => string | undefined;

/** Parts of a zone with gates of their own. At most 1,000 at a time are told apart; those unused for 15 minutes are forgotten. */
export interface EndpointOptions extends EndpointLimitOptions {
  /** The endpoint of a request; undefined: none of its own. */
  readonly of: EndpointFunction;
  /** What differs, by name. @default {} */
  readonly byName?: Readonly<Record<string, EndpointLimitOptions>> | undefined;
}

/** Calls under way at once by what they do: `bulk` is what has priority 1 or 2, `read` and `write` the rest. */
export interface ClassLimitOptions {
  /** Reads of priority 3 and above. @default that of the zone */
  readonly read?: number | undefined;
  /** Writes of priority 3 and above. @default that of the zone */
  readonly write?: number | undefined;
  /** Priority 1 and 2, reads and writes. @default that of the zone */
  readonly bulk?: number | undefined;
}

/** Which part of a zone's calls at once less important requests may use, above 0 to 1, so that there is room for others when they come; at least one call. Under the priority strategy `priority`. */
export interface PriorityShareOptions {
  /** Priority 3 and 4. @default 0.5 */
  readonly low?: number | undefined;
  /** Priority 1 and 2. @default 0.25 */
  readonly bulk?: number | undefined;
}

/** Bounds of a timeout that follows how long calls usually take. */
export interface AdaptiveTimeoutOptions {
  /** Never less. @default 1_000 */
  readonly minMs?: number | undefined;
  /** Never more. @default `attemptTimeoutMs` where that is set, else 60_000 */
  readonly maxMs?: number | undefined;
}

/** Retries a zone is spared while it fails: those beyond are made later, not fewer. */
export interface RetryBudgetOptions {
  /** What it holds at most, and at first: a retry costs 5, after a timeout 10, where the server named a time 1; a success earns 1 at least. @default 50 */
  readonly tokens?: number | undefined;
  /** Retries that are made in any case. @default 6 */
  readonly perMinute?: number | undefined;
}

/**
 * Answers of reads that are given again while the zone takes no call, marked as `degraded`: to whoever could have shared them, until a write to the
 * same path or lane is accepted, and never those with `no-store`. An answer that `fetch` hands on as it comes in is remembered once its caller has
 * read it to its end.
 */
export interface StaleReadOptions {
  /** Not older than that. */
  readonly maxAgeMs: number;
  /** Memory for them, those unused the longest go first. @default 16_777_216 (16 MiB) */
  readonly maxBytes?: number | undefined;
}

/** At what pressure less important calls are refused (`LOAD_SHED`): of what fills up most of queue, event loop, heap and store. */
export interface SheddingOptions {
  /** Delay of the event loop that counts as full pressure. @default 200 */
  readonly eventLoopDelayMs?: number | undefined;
  /** Time to store a request that counts as full pressure. @default 2_000 */
  readonly storeMs?: number | undefined;
}
