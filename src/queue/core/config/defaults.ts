import { BREAKER_DEFAULTS } from '../../strategies/breaker/policy.ts';
import { DEFAULT_FLOWS } from '../../strategies/scheduling/flows.ts';
import { silentLogger } from '../../types/logger.ts';
import type { ResolvedConfiguration, ResolvedZone } from './types.ts';

const HOUR_MS = 3_600_000;
const MIB = 1_048_576;

/** Longest delay between attempts while a caller waits: somebody's patience is part of the cost. */
export const CALLER_MAX_DELAY_MS = 20_000;

/** Every default that does not depend on another option. */
export const DEFAULTS = Object.freeze({
  name: 'queue',
  maxSize: 10_000,
  whenFull: 'reject',
  maxBytes: 256 * MIB,
  maxConcurrency: 25,
  priorityStrategy: 'priority',
  ageingMs: 60_000,
  batchingEnabled: false,
  maxBatchSize: 20,
  batchTimeoutMs: 10,
  flows: DEFAULT_FLOWS,
  durability: 'full',
  maxAttempts: 8,
  giveUpAfterMs: 24 * HOUR_MS,
  readGiveUpAfterMs: 60_000,
  readTtlMs: 300_000,
  resendWindowMs: 600_000,
  dedupeWindowMs: 0,
  leaseMs: 30_000,
  attemptTimeoutMs: 30_000,
  closeTimeoutMs: 10_000,
  settleAck: 'durable',
  maxStoredResultBytes: 65_536,
  logger: silentLogger,
  principal: undefined,
  dispatch: true,
} as const satisfies Omit<
  ResolvedConfiguration,
  'backend' | 'retention' | 'retry' | 'zones' | 'longestTimeoutMs' | 'shedding'
>);

export const RETENTION_DEFAULTS = Object.freeze({
  succeededMs: 24 * HOUR_MS,
  deadMs: 30 * 24 * HOUR_MS,
  maxRecords: 100_000,
  maxBytes: 256 * MIB,
} as const satisfies ResolvedConfiguration['retention']);

export const RETRY_DEFAULTS = Object.freeze({
  baseDelayMs: 500,
  maxDelayMs: 60_000,
} as const satisfies Partial<ResolvedConfiguration['retry']>);

/** What a timeout that adapts may grow to where no `attemptTimeoutMs` was set. */
export const LONGEST_TIMEOUT_MS = 60_000;

export const SHEDDING_DEFAULTS = Object.freeze({ eventLoopDelayMs: 200, storeMs: 2_000 });

/** Of `staleReads`. */
export const STALE_BYTES = 16 * MIB;

/** How long a server is taken to remember an idempotency key where the zone does not say otherwise. */
export const IDEMPOTENCY_TTL_MS = 24 * HOUR_MS;

/** What a zone has that declares nothing; also what zones made from an origin have, with that origin. */
export const ZONE_DEFAULTS: ResolvedZone = Object.freeze({
  origins: Object.freeze([]),
  maxConcurrency: 10,
  weight: 1,
  rateLimit: null,
  breaker: BREAKER_DEFAULTS,
  adaptiveConcurrency: true,
  endpoint: undefined,
  classes: undefined,
  priorityShares: Object.freeze({ low: 0.5, bulk: 0.25 }),
  adaptiveTimeout: Object.freeze({ minMs: 1_000, maxMs: null }),
  retryBudget: Object.freeze({ tokens: 50, perMinute: 6 }),
  failover: Object.freeze([]),
  staleReads: undefined,
  idempotency: undefined,
  effectOf: undefined,
  classify: undefined,
  classifyError: undefined,
  profile: undefined,
  probe: undefined,
  healthCheck: undefined,
  expect: undefined,
  auth: undefined,
  secretHeaders: Object.freeze([]),
  retryAnswered5xx: false,
  rules: Object.freeze([]),
  batch: Object.freeze([]),
});
