import type { Expectation } from '../../strategies/authentic.ts';
import type { BreakerPolicy } from '../../strategies/breaker/policy.ts';
import type { DelayFunction } from '../../strategies/decision.ts';
import type { IdempotencyDialect } from '../../strategies/dialects.ts';
import type { RateLimit } from '../../strategies/rate/RateLimiter.ts';
import type { FlowRules } from '../../strategies/scheduling/flows.ts';
import type { Backend } from '../../types/backend.ts';
import type { BatchAdapter } from '../../types/batch.ts';
import type { FetchOptions, FetchSettings } from '../../types/fetch.ts';
import type { Logger } from '../../types/logger.ts';
import type { RedisOptions } from '../../types/redis.ts';
import type { PriorityStrategy } from '../../types/scheduling.ts';
import type { EndpointFunction } from './gateOptions.ts';
import type { ProbeOption, SettleAck, SqliteDurability, WhenFull, ZoneOptions } from './options.ts';

/** A backend as configured, with its path worked out. Opened by the composition root. */
export type ResolvedBackend =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'redis'; readonly options: RedisOptions; readonly spill: { readonly path: string } | undefined }
  | { readonly kind: 'custom'; readonly backend: Backend };

export interface ResolvedHealthCheck {
  readonly path: string;
  readonly method: 'GET' | 'HEAD' | 'OPTIONS';
  /** Null: any answer will do. */
  readonly expectStatus: number | null;
}

/** What limits one scope: a zone, or an endpoint of it. */
export interface ResolvedLimits {
  readonly maxConcurrency: number;
  readonly rateLimit: RateLimit | null;
  /** Null: it has none. */
  readonly breaker: BreakerPolicy | null;
}

/** By kind of operation; null: no limit but that of the zone. */
export type OperationClass = 'read' | 'write' | 'bulk';

export interface ResolvedEndpoints {
  readonly of: EndpointFunction;
  readonly limits: ResolvedLimits;
  readonly byName: Readonly<Record<string, ResolvedLimits>>;
}

export interface ResolvedZone extends FetchSettings, ResolvedLimits {
  /** Normalised; the first is used to send. */
  readonly origins: readonly string[];
  /** Its part of the calls that the process may make, relative to other zones. */
  readonly weight: number;
  readonly adaptiveConcurrency: boolean;
  readonly endpoint: ResolvedEndpoints | undefined;
  readonly classes: Readonly<Partial<Record<OperationClass, number>>> | undefined;
  readonly priorityShares: { readonly low: number; readonly bulk: number };
  /** Null: fixed. A bound that is null is the queue's. */
  readonly adaptiveTimeout: { readonly minMs: number; readonly maxMs: number | null } | null;
  readonly retryBudget: { readonly tokens: number; readonly perMinute: number } | null;
  readonly failover: readonly string[];
  readonly staleReads: { readonly maxAgeMs: number; readonly maxBytes: number } | undefined;
  readonly idempotency: IdempotencyDialect | undefined;
  readonly effectOf: ZoneOptions['effectOf'];
  readonly classify: ZoneOptions['classify'];
  readonly classifyError: ZoneOptions['classifyError'];
  readonly profile: string | undefined;
  readonly probe: ProbeOption | undefined;
  readonly healthCheck: ResolvedHealthCheck | undefined;
  readonly expect: Expectation | undefined;
  readonly auth: ZoneOptions['auth'];
  /** Lower-case. */
  readonly secretHeaders: readonly string[];
  readonly retryAnswered5xx: boolean;
  readonly rules: readonly ResolvedRule[];
  /** Empty where nothing is batched. */
  readonly batch: readonly BatchAdapter[];
}

/** Options for the calls that fit. */
export interface ResolvedRule {
  readonly path: RegExp;
  /** Upper-case, null for any. */
  readonly method: string | null;
  readonly options: FetchOptions;
}

/** A valid configuration, complete and frozen. Modules receive this and never look at options. */
export interface ResolvedConfiguration extends FetchSettings {
  readonly name: string;
  readonly backend: ResolvedBackend;
  readonly maxSize: number;
  readonly whenFull: WhenFull;
  readonly maxBytes: number;
  readonly maxConcurrency: number;
  readonly priorityStrategy: PriorityStrategy;
  readonly ageingMs: number;
  readonly batchingEnabled: boolean;
  readonly maxBatchSize: number;
  readonly batchTimeoutMs: number;
  readonly flows: FlowRules;
  readonly durability: SqliteDurability;
  readonly retention: {
    readonly succeededMs: number;
    readonly deadMs: number;
    readonly maxRecords: number;
    readonly maxBytes: number;
  };
  readonly retry: {
    readonly baseDelayMs: number;
    readonly maxDelayMs: number;
    /** `maxDelayMs` while a caller waits: at most 20 s. */
    readonly callerMaxDelayMs: number;
    readonly delay: DelayFunction | undefined;
  };
  readonly maxAttempts: number;
  readonly giveUpAfterMs: number;
  /** How long answers of a read with a caller may keep failing. */
  readonly readGiveUpAfterMs: number;
  readonly readTtlMs: number;
  readonly resendWindowMs: number;
  readonly dedupeWindowMs: number;
  readonly leaseMs: number;
  readonly attemptTimeoutMs: number;
  /** What a timeout that adapts may grow to. */
  readonly longestTimeoutMs: number;
  /** Null: nothing is refused but what does not fit. */
  readonly shedding: { readonly eventLoopDelayMs: number; readonly storeMs: number } | null;
  readonly closeTimeoutMs: number;
  readonly settleAck: SettleAck;
  readonly maxStoredResultBytes: number;
  readonly logger: Logger;
  readonly principal: string | (() => string) | undefined;
  readonly dispatch: boolean;
  readonly zones: Readonly<Record<string, ResolvedZone>>;
}
