import type { Expectation } from '../../strategies/authentic.ts';
import type { DelayFunction } from '../../strategies/decision.ts';
import type { IdempotencyDialect } from '../../strategies/dialects.ts';
import type { PriorityStrategy } from '../../strategies/rank.ts';
import type { Backend } from '../../types/backend.ts';
import type { FetchOptions, FetchSettings } from '../../types/fetch.ts';
import type { Logger } from '../../types/logger.ts';
import type { RedisOptions } from '../../types/redis.ts';
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

export interface ResolvedZone extends FetchSettings {
  /** Normalised; the first is used to send. */
  readonly origins: readonly string[];
  readonly maxConcurrency: number;
  readonly idempotency: IdempotencyDialect | undefined;
  readonly effectOf: ZoneOptions['effectOf'];
  readonly classify: ZoneOptions['classify'];
  readonly probe: ProbeOption | undefined;
  readonly healthCheck: ResolvedHealthCheck | undefined;
  readonly expect: Expectation | undefined;
  readonly auth: ZoneOptions['auth'];
  /** Lower-case. */
  readonly secretHeaders: readonly string[];
  readonly retryAnswered5xx: boolean;
  readonly rules: readonly ResolvedRule[];
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
  readonly closeTimeoutMs: number;
  readonly settleAck: SettleAck;
  readonly maxStoredResultBytes: number;
  readonly logger: Logger;
  readonly principal: string | (() => string) | undefined;
  readonly dispatch: boolean;
  readonly zones: Readonly<Record<string, ResolvedZone>>;
}
