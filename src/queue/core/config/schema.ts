import * as z from 'zod';
import type { Logger } from '../../types/logger.ts';
import { callback, count, duration, field, flag, hasMethods, isRecord, oneOf } from './fields.ts';
import { shedding } from './gateSchema.ts';
import type { RetryOptions } from './options.ts';
import { REDIS_SHAPE, redisSchema } from './redisSchema.ts';
import { FETCH_SETTINGS_SHAPE, zoneSchema } from './zoneSchema.ts';

export const BACKEND_SHAPES = {
  memory: { kind: z.unknown() },
  sqlite: {
    kind: z.unknown(),
    path: field<string>('the path of a file', (v) => typeof v === 'string' && v !== '' && !v.includes('\0')).optional(),
  },
  redis: REDIS_SHAPE,
};

const KINDS = {
  memory: z.strictObject(BACKEND_SHAPES.memory),
  sqlite: z.strictObject(BACKEND_SHAPES.sqlite),
  redis: redisSchema,
};

/** A backend of a known kind, or an object that implements the port. */
const backend = z.unknown().superRefine((value, context) => {
  if (value === undefined || isBackend(value)) return;
  const { kind } = isRecord(value) ? value : {};
  if (kind === 'memory' || kind === 'sqlite' || kind === 'redis') {
    for (const issue of KINDS[kind].safeParse(value).error?.issues ?? []) context.addIssue({ ...issue });
  } else if (isRecord(value) && 'kind' in value) {
    context.addIssue({ code: 'custom', path: ['kind'], message: "one of 'memory', 'sqlite', 'redis'" });
  } else {
    context.addIssue({
      code: 'custom',
      message: "{ kind: 'memory' }, { kind: 'sqlite', path }, { kind: 'redis', … } or a Backend",
    });
  }
});

export const RETENTION_SHAPE = {
  succeededMs: duration(0).optional(),
  deadMs: duration(0).optional(),
  maxRecords: count(0).optional(),
  maxBytes: count(0, ' of bytes').optional(),
};

export const RETRY_SHAPE = {
  baseDelayMs: duration(0).optional(),
  maxDelayMs: duration(0).optional(),
  delay: callback<NonNullable<RetryOptions['delay']>>().optional(),
};

/** Names become file names and labels. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/;

/** Zones that are made from an origin bear its name. */
const zoneName = field<string>(
  'a name that is not empty and no URL, without #, ~ and !',
  (v) => typeof v === 'string' && /^(?!https?:)[^#~!]+$/s.test(v),
);

export const QUEUE_SHAPE = {
  name: field<string>(
    "up to 100 letters, digits, '_', '.' and '-'",
    (v) => typeof v === 'string' && NAME.test(v),
  ).optional(),
  backend: backend.optional(),
  maxSize: count(1).optional(),
  whenFull: oneOf('reject').optional(),
  maxBytes: count(1, ' of bytes').optional(),
  maxConcurrency: count(1).optional(),
  priorityStrategy: oneOf('fifo', 'lifo', 'priority', 'deadline').optional(),
  ageingMs: duration(0).optional(),
  durability: oneOf('full', 'normal').optional(),
  retention: z.strictObject(RETENTION_SHAPE).optional(),
  retry: z.strictObject(RETRY_SHAPE).optional(),
  maxAttempts: count(1).optional(),
  giveUpAfterMs: duration(0).optional(),
  readTtlMs: duration(1).optional(),
  resendWindowMs: duration(0).optional(),
  dedupeWindowMs: duration(0).optional(),
  leaseMs: duration(100).optional(),
  attemptTimeoutMs: duration(1).optional(),
  shedding: shedding.optional(),
  closeTimeoutMs: duration(0).optional(),
  settleAck: oneOf('durable', 'early').optional(),
  maxStoredResultBytes: count(0, ' of bytes').optional(),
  logger: field<Logger>('a logger with debug, info, warn and error', (v) =>
    hasMethods(v, 'debug', 'info', 'warn', 'error'),
  ).optional(),
  principal: field<string | (() => string)>(
    'a string that is not empty, or a function',
    (v) => (typeof v === 'string' && v !== '') || typeof v === 'function',
  ).optional(),
  dispatch: flag.optional(),
  ...FETCH_SETTINGS_SHAPE,
  zones: z.record(zoneName, zoneSchema, { error: 'an object of zones by name' }).optional(),
};

export const queueSchema = z.strictObject(QUEUE_SHAPE);

/** True for an object that implements the backend port. */
export function isBackend(value: unknown): boolean {
  return (
    hasMethods(value, 'open', 'keepAlive', 'close') &&
    isRecord(value) &&
    ['capabilities', 'requests', 'schedules', 'shared', 'history'].every((port) => isRecord(value[port]))
  );
}
