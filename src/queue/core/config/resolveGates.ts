import type { BreakerPolicy } from '../../strategies/breaker/policy.ts';
import { BREAKER_DEFAULTS } from '../../strategies/breaker/policy.ts';
import type { RateLimit } from '../../strategies/rate/RateLimiter.ts';
import { SHEDDING_DEFAULTS, STALE_BYTES, ZONE_DEFAULTS } from './defaults.ts';
import { defined } from './defined.ts';
import type { BreakerOptions, EndpointLimitOptions, EndpointOptions, RateLimitOptions } from './gateOptions.ts';
import type { QueueOptions, ZoneOptions } from './options.ts';
import type { ResolvedConfiguration, ResolvedEndpoints, ResolvedLimits, ResolvedZone } from './types.ts';

type ResolvedGates = Pick<
  ResolvedZone,
  | keyof ResolvedLimits
  | 'weight'
  | 'adaptiveConcurrency'
  | 'endpoint'
  | 'classes'
  | 'priorityShares'
  | 'adaptiveTimeout'
  | 'retryBudget'
  | 'failover'
  | 'staleReads'
>;

/** What stands before the calls of a zone. */
export function resolveGates(zone: ZoneOptions): ResolvedGates {
  const { classes, priorityShares, adaptiveTimeout, retryBudget, staleReads } = zone;
  const limits = resolveLimits(zone, ZONE_DEFAULTS.maxConcurrency);
  return {
    ...limits,
    weight: zone.weight ?? ZONE_DEFAULTS.weight,
    adaptiveConcurrency: zone.adaptiveConcurrency ?? ZONE_DEFAULTS.adaptiveConcurrency,
    endpoint: zone.endpoint === undefined ? undefined : resolveEndpoint(zone.endpoint, limits.maxConcurrency),
    classes: classes === undefined ? undefined : Object.freeze(defined(classes)),
    priorityShares: Object.freeze({ ...ZONE_DEFAULTS.priorityShares, ...defined(priorityShares ?? {}) }),
    adaptiveTimeout: adaptiveTimeout === false ? null : Object.freeze(resolveTimeout(adaptiveTimeout)),
    retryBudget:
      retryBudget === false ? null : Object.freeze({ tokens: 50, perMinute: 6, ...defined(retryBudget ?? {}) }),
    failover: Object.freeze([...(zone.failover ?? [])]),
    staleReads:
      staleReads && Object.freeze({ maxAgeMs: staleReads.maxAgeMs, maxBytes: staleReads.maxBytes ?? STALE_BYTES }),
  };
}

/** Limits as given; what is absent is the default, and no more calls than the whole may make. */
export function resolveLimits(given: EndpointLimitOptions, maxConcurrency: number): ResolvedLimits {
  return Object.freeze({
    maxConcurrency: given.maxConcurrency ?? maxConcurrency,
    rateLimit: given.rateLimit === undefined ? null : resolveRateLimit(given.rateLimit),
    breaker: given.breaker === false ? null : resolveBreaker(given.breaker ?? {}),
  });
}

function resolveEndpoint(given: NonNullable<ZoneOptions['endpoint']>, maxConcurrency: number): ResolvedEndpoints {
  const { of, byName = {}, ...all }: EndpointOptions = typeof given === 'function' ? { of: given } : given;
  const named = Object.entries(byName).map(([name, one]) => [
    name,
    resolveLimits({ ...all, ...defined(one) }, maxConcurrency),
  ]);
  return Object.freeze({
    of,
    limits: resolveLimits(all, maxConcurrency),
    byName: Object.freeze(Object.fromEntries(named)),
  });
}

/** A breaker as given; what is absent is as it was, or the default. */
export function resolveBreaker(given: BreakerOptions, before: BreakerPolicy | null = null): BreakerPolicy {
  const policy = { ...(before ?? BREAKER_DEFAULTS), ...defined(given) };
  return Object.freeze({ ...policy, maxOpenMs: Math.max(policy.maxOpenMs, policy.openMs) });
}

function resolveRateLimit({ max, perMs, burst, algorithm }: RateLimitOptions): RateLimit {
  return Object.freeze({
    max,
    perMs,
    burst: burst ?? Math.max(1, Math.floor(max / 10)),
    algorithm: algorithm ?? 'tokenBucket',
  });
}

/** Where one bound alone is given, the default of the other gives way. */
function resolveTimeout(given: Exclude<ZoneOptions['adaptiveTimeout'], false>) {
  const maxMs = given?.maxMs ?? null;
  return { minMs: given?.minMs ?? Math.min(1_000, maxMs ?? 1_000), maxMs };
}

export function resolveShedding(given: QueueOptions['shedding']): ResolvedConfiguration['shedding'] {
  if (given === undefined || given === false) return null;
  return Object.freeze({ ...SHEDDING_DEFAULTS, ...(given === true ? {} : defined(given)) });
}
