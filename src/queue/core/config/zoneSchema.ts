import * as z from 'zod';
import { DIALECTS } from '../../strategies/dialects.ts';
import { priorityNumber } from '../../strategies/priority.ts';
import type { AuthProvider } from '../../types/auth.ts';
import type { Priority } from '../../types/calls.ts';
import { batch } from './batchSchema.ts';
import { callback, count, duration, field, flag, hasMethods, oneOf } from './fields.ts';
import { GATE_SHAPE } from './gateSchema.ts';
import type { ProbeFunction, ZoneOptions } from './options.ts';
import { weight } from './schedulingSchema.ts';

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const headerName = field<string>('a header name', (v) => typeof v === 'string' && HEADER_NAME.test(v));

const text = field<string>('a string that is not empty', (v) => typeof v === 'string' && v !== '');

const origin = field<string>(
  "an origin such as 'https://api.example.com': http or https, no path, no user name",
  (v) => typeof v === 'string' && parseOrigin(v) !== undefined,
);

export const IDEMPOTENCY_SHAPE = {
  header: headerName,
  ttlMs: z.union([z.null(), duration(1)], { error: 'milliseconds of at least 1, or null' }).optional(),
  quoting: oneOf('bare', 'string').optional(),
  methods: z.array(headerName, { error: 'a list of HTTP methods' }).optional(),
  firstSentHeader: headerName.optional(),
  replayHeader: headerName.optional(),
  ignoredHeader: z.strictObject({ name: headerName, value: text }, { error: '{ name, value }' }).optional(),
  storesFailures: flag.optional(),
};

export const HEALTH_CHECK_SHAPE = {
  path: field<string>("a path that starts with '/'", (v) => typeof v === 'string' && /^\/[^\s\\]*$/.test(v)),
  method: oneOf('GET', 'HEAD', 'OPTIONS').optional(),
  expectStatus: field<number>('a status from 200 to 599', isStatus).optional(),
};

export const EXPECT_SHAPE = {
  contentTypes: z.array(text, { error: 'a list of content types' }).optional(),
  header: z.strictObject({ name: headerName, value: text.optional() }, { error: '{ name, value }' }).optional(),
};

const idempotencyObject = z.strictObject(IDEMPOTENCY_SHAPE);

/** A name of a known behaviour, or one spelled out: whose problems are reported field by field. */
const idempotency = z.unknown().superRefine((value, context) => {
  if (value === undefined || (typeof value === 'string' && Object.hasOwn(DIALECTS, value))) return;
  if (typeof value !== 'object' || value === null) {
    context.addIssue({
      code: 'custom',
      message: "'ietf', 'stripe', 'stripe-v2', 'oasis' or { header, ttlMs, quoting, … }",
    });
    return;
  }
  for (const issue of idempotencyObject.safeParse(value).error?.issues ?? []) context.addIssue({ ...issue });
});

/** Settings of `fetch`, wherever they stand. */
export const FETCH_SETTINGS_SHAPE = {
  respond: oneOf('settled', 'accepted').optional(),
  offline: oneOf('wait', 'accept', 'reject', 'rejectAndKeep').optional(),
  mode: oneOf('queue', 'bypass').optional(),
  honorPrefer: flag.optional(),
  noRetryHeaders: flag.optional(),
};

const texts = field<string[]>(
  'a list of strings that are not empty',
  (v) => Array.isArray(v) && v.every((one) => typeof one === 'string' && one !== ''),
);

export const RULE_SHAPE = {
  path: field<string>(
    "a path that starts with '/', with * and **",
    (v) => typeof v === 'string' && /^\/[^\s?#]*$/.test(v),
  ),
  method: field<string>('an HTTP method', (v) => typeof v === 'string' && HEADER_NAME.test(v)).optional(),
  ...FETCH_SETTINGS_SHAPE,
  attemptTimeoutMs: duration(1).optional(),
  priority: field<Priority>(
    '1 to 10 or the name of a priority',
    (v) => priorityNumber(v as Priority) !== undefined,
  ).optional(),
  lane: field<string | null>('a name, or null', (v) => v === null || (typeof v === 'string' && v !== '')).optional(),
  effect: oneOf('read', 'absolute', 'delete', 'create', 'action', 'relative').optional(),
  tags: texts.optional(),
  dedupe: flag.optional(),
};

export const ZONE_SHAPE = {
  origins: z
    .array(origin, { error: 'a list of origins' })
    .refine((list) => list.length > 0, { error: 'a list of at least one origin' }),
  maxConcurrency: count(1).optional(),
  weight: weight.optional(),
  ...GATE_SHAPE,
  idempotency: idempotency.optional(),
  effectOf: callback<NonNullable<ZoneOptions['effectOf']>>().optional(),
  classify: callback<NonNullable<ZoneOptions['classify']>>().optional(),
  classifyError: callback<NonNullable<ZoneOptions['classifyError']>>().optional(),
  profile: text.optional(),
  probe: field<'byResource' | ProbeFunction>(
    "'byResource' or a function",
    (v) => v === 'byResource' || typeof v === 'function',
  ).optional(),
  healthCheck: z.strictObject(HEALTH_CHECK_SHAPE).optional(),
  expect: z.strictObject(EXPECT_SHAPE).optional(),
  auth: field<AuthProvider>('an auth provider, as bearerToken() gives', (v) => hasMethods(v, 'credential')).optional(),
  secretHeaders: z.array(headerName, { error: 'a list of header names' }).optional(),
  retryAnswered5xx: flag.optional(),
  batch: batch.optional(),
  rules: z.array(z.strictObject(RULE_SHAPE), { error: 'a list of rules' }).optional(),
  ...FETCH_SETTINGS_SHAPE,
};

export const zoneSchema = z.strictObject(ZONE_SHAPE);

/** The normal form of an origin; undefined when `text` is none. */
export function parseOrigin(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isPlain =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  return isPlain && (url.protocol === 'https:' || url.protocol === 'http:') ? url.origin : undefined;
}

function isStatus(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 200 && (value as number) <= 599;
}
