import * as z from 'zod';
import { callback, count, duration, field, flag, oneOf } from './fields.ts';
import type { EndpointFunction } from './gateOptions.ts';

export const BREAKER_SHAPE = {
  windowMs: duration(1_000).optional(),
  minimumCalls: count(1).optional(),
  consecutiveFailures: count(2).optional(),
  openMs: duration(1).optional(),
  maxOpenMs: duration(1).optional(),
  rampMs: duration(0).optional(),
  probeTimeoutMs: duration(1).optional(),
  slowCallMs: duration(1).optional(),
};

export const RATE_LIMIT_SHAPE = {
  max: count(1),
  perMs: duration(1),
  burst: count(1).optional(),
  algorithm: oneOf('tokenBucket', 'slidingWindow').optional(),
};

/** An object, or `false` for none. */
function orNone(shape: z.ZodRawShape, expected: string): z.ZodType {
  const object = z.strictObject(shape);
  return z.unknown().superRefine((value, context) => {
    if (value === undefined || value === false) return;
    if (typeof value !== 'object' || value === null) context.addIssue({ code: 'custom', message: expected });
    else for (const issue of object.safeParse(value).error?.issues ?? []) context.addIssue({ ...issue });
  });
}

const breaker = orNone(BREAKER_SHAPE, 'an object of options, or false');

export const ENDPOINT_LIMIT_SHAPE = {
  maxConcurrency: count(1).optional(),
  rateLimit: z.strictObject(RATE_LIMIT_SHAPE).optional(),
  breaker: breaker.optional(),
};

export const ENDPOINT_SHAPE = {
  of: callback<EndpointFunction>(),
  ...ENDPOINT_LIMIT_SHAPE,
  byName: z
    .record(z.string(), z.strictObject(ENDPOINT_LIMIT_SHAPE), { error: 'an object of limits by name' })
    .optional(),
};

const endpointObject = z.strictObject(ENDPOINT_SHAPE);

const endpoint = z.unknown().superRefine((value, context) => {
  if (value === undefined || typeof value === 'function') return;
  if (typeof value !== 'object' || value === null) {
    context.addIssue({ code: 'custom', message: 'a function, or { of, … }' });
  } else for (const issue of endpointObject.safeParse(value).error?.issues ?? []) context.addIssue({ ...issue });
});

export const CLASS_SHAPE = { read: count(1).optional(), write: count(1).optional(), bulk: count(1).optional() };

const share = field<number>('a number above 0, up to 1', (v) => typeof v === 'number' && v > 0 && v <= 1);

export const SHARE_SHAPE = {
  low: share.optional(),
  bulk: share.optional(),
};

export const ADAPTIVE_TIMEOUT_SHAPE = { minMs: duration(1).optional(), maxMs: duration(1).optional() };

export const RETRY_BUDGET_SHAPE = { tokens: count(1).optional(), perMinute: count(1).optional() };

export const STALE_READ_SHAPE = { maxAgeMs: duration(1), maxBytes: count(1, ' of bytes').optional() };

export const SHEDDING_SHAPE = { eventLoopDelayMs: duration(1).optional(), storeMs: duration(1).optional() };

/** True, false or an object. */
export const shedding = z.unknown().superRefine((value, context) => {
  if (value === undefined || typeof value === 'boolean') return;
  const parsed = z.strictObject(SHEDDING_SHAPE).safeParse(value);
  if (typeof value !== 'object' || value === null) {
    context.addIssue({ code: 'custom', message: 'true, false or an object of options' });
  } else for (const issue of parsed.error?.issues ?? []) context.addIssue({ ...issue });
});

/** The gates of a zone. */
export const GATE_SHAPE = {
  adaptiveConcurrency: flag.optional(),
  rateLimit: z.strictObject(RATE_LIMIT_SHAPE).optional(),
  breaker: breaker.optional(),
  endpoint: endpoint.optional(),
  classes: z.strictObject(CLASS_SHAPE).optional(),
  priorityShares: z.strictObject(SHARE_SHAPE).optional(),
  adaptiveTimeout: orNone(ADAPTIVE_TIMEOUT_SHAPE, 'an object of options, or false').optional(),
  retryBudget: orNone(RETRY_BUDGET_SHAPE, 'an object of options, or false').optional(),
  failover: z.array(z.string(), { error: 'a list of names of zones' }).optional(),
  staleReads: z.strictObject(STALE_READ_SHAPE).optional(),
};
