import type * as z from 'zod';
import type { Problem } from '../../../errors.ts';
import { suggestion } from '../../../suggestion.ts';
import { isRecord } from './fields.ts';
import {
  ADAPTIVE_TIMEOUT_SHAPE,
  BREAKER_SHAPE,
  CLASS_SHAPE,
  ENDPOINT_LIMIT_SHAPE,
  ENDPOINT_SHAPE,
  RATE_LIMIT_SHAPE,
  RETRY_BUDGET_SHAPE,
  SHARE_SHAPE,
  SHEDDING_SHAPE,
  STALE_READ_SHAPE,
} from './gateSchema.ts';
import { FLOW_SHAPE, flowProblems } from './schedulingSchema.ts';
import { BACKEND_SHAPES, QUEUE_SHAPE, queueSchema, RETENTION_SHAPE, RETRY_SHAPE } from './schema.ts';
import {
  EXPECT_SHAPE,
  HEALTH_CHECK_SHAPE,
  IDEMPOTENCY_SHAPE,
  parseOrigin,
  RULE_SHAPE,
  ZONE_SHAPE,
} from './zoneSchema.ts';

type Path = readonly PropertyKey[];

/** Known keys by place; the name of a zone and the place of a rule are `*`. */
const KNOWN_KEYS: Readonly<Record<string, readonly string[]>> = {
  '': Object.keys(QUEUE_SHAPE),
  backend: [...new Set(Object.values(BACKEND_SHAPES).flatMap((shape) => Object.keys(shape)))],
  'backend.spill': ['path'],
  retention: Object.keys(RETENTION_SHAPE),
  retry: Object.keys(RETRY_SHAPE),
  shedding: Object.keys(SHEDDING_SHAPE),
  flows: Object.keys(FLOW_SHAPE),
  'zones.*': Object.keys(ZONE_SHAPE),
  'zones.*.breaker': Object.keys(BREAKER_SHAPE),
  'zones.*.rateLimit': Object.keys(RATE_LIMIT_SHAPE),
  'zones.*.endpoint': Object.keys(ENDPOINT_SHAPE),
  'zones.*.endpoint.breaker': Object.keys(BREAKER_SHAPE),
  'zones.*.endpoint.rateLimit': Object.keys(RATE_LIMIT_SHAPE),
  'zones.*.endpoint.byName.*': Object.keys(ENDPOINT_LIMIT_SHAPE),
  'zones.*.endpoint.byName.*.breaker': Object.keys(BREAKER_SHAPE),
  'zones.*.endpoint.byName.*.rateLimit': Object.keys(RATE_LIMIT_SHAPE),
  'zones.*.classes': Object.keys(CLASS_SHAPE),
  'zones.*.priorityShares': Object.keys(SHARE_SHAPE),
  'zones.*.adaptiveTimeout': Object.keys(ADAPTIVE_TIMEOUT_SHAPE),
  'zones.*.retryBudget': Object.keys(RETRY_BUDGET_SHAPE),
  'zones.*.staleReads': Object.keys(STALE_READ_SHAPE),
  'zones.*.idempotency': Object.keys(IDEMPOTENCY_SHAPE),
  'zones.*.idempotency.ignoredHeader': ['name', 'value'],
  'zones.*.healthCheck': Object.keys(HEALTH_CHECK_SHAPE),
  'zones.*.expect': Object.keys(EXPECT_SHAPE),
  'zones.*.expect.header': ['name', 'value'],
  'zones.*.rules.*': Object.keys(RULE_SHAPE),
};

/** Everything that is wrong with a configuration, in the order of its options; empty when it can be used. */
export function configurationProblems(input: unknown): Problem[] {
  const parsed = queueSchema.safeParse(input);
  const { flows } = record(input);
  const found = parsed.error?.issues.flatMap((issue) => problemsOf(issue, input)) ?? [];
  return [...found, ...delayProblems(input), ...originProblems(input), ...gateProblems(input), ...flowProblems(flows)];
}

function problemsOf(issue: z.core.$ZodIssue, input: unknown): Problem[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(issue.path, key));
  const expected = issue.code === 'invalid_type' && issue.expected === 'object' ? 'an object' : expectation(issue);
  return [{ path: text(issue.path), expected, got: describe(at(input, issue.path), issue.path) }];
}

/** Zod wraps what is wrong with the key of a record. */
function expectation(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
}

function unknownKey(path: Path, key: string): Problem {
  const isAny = (part: PropertyKey, index: number): boolean =>
    path[0] === 'zones' && (index === 1 || typeof part === 'number' || path[index - 1] === 'byName');
  const place = path.map((part, index) => (isAny(part, index) ? '*' : String(part))).join('.');
  const known = KNOWN_KEYS[place] ?? [];
  return { path: text([...path, key]), expected: suggestion(key, known), got: 'an unknown option' };
}

function delayProblems(input: unknown): Problem[] {
  const { retry } = record(input);
  const { baseDelayMs, maxDelayMs } = record(retry);
  if (typeof baseDelayMs !== 'number' || typeof maxDelayMs !== 'number' || !(baseDelayMs > maxDelayMs)) return [];
  return [
    { path: 'retry.baseDelayMs', expected: `at most retry.maxDelayMs (${maxDelayMs})`, got: String(baseDelayMs) },
  ];
}

/** An origin is in one zone: else it would be chance where its requests go. */
function originProblems(input: unknown): Problem[] {
  const problems: Problem[] = [];
  const owners = new Map<string, string>();
  const { zones } = record(input);
  for (const [name, zone] of Object.entries(record(zones))) {
    const { origins } = record(zone);
    for (const [index, given] of (Array.isArray(origins) ? origins : []).entries()) {
      const origin = typeof given === 'string' ? parseOrigin(given) : undefined;
      if (origin === undefined) continue;
      const owner = owners.get(origin);
      if (owner === undefined) owners.set(origin, name);
      else {
        const path = text(['zones', name, 'origins', index]);
        problems.push({ path, expected: 'an origin that stands once', got: `${origin}, which zone '${owner}' has` });
      }
    }
  }
  return problems;
}

/** What one option says of another. */
function gateProblems(input: unknown): Problem[] {
  const problems: Problem[] = [];
  const { zones } = record(input);
  for (const [name, zone] of Object.entries(record(zones))) {
    const { rateLimit, endpoint, failover, adaptiveTimeout } = record(zone);
    const { rateLimit: ofEndpoint, byName } = record(endpoint);
    const at = (...path: Path): string => text(['zones', name, ...path]);
    problems.push(...burstProblem(rateLimit, at('rateLimit', 'burst')));
    problems.push(...burstProblem(ofEndpoint, at('endpoint', 'rateLimit', 'burst')));
    for (const [key, one] of Object.entries(record(byName))) {
      const { rateLimit: own } = record(one);
      problems.push(...burstProblem(own, at('endpoint', 'byName', key, 'rateLimit', 'burst')));
    }
    const { minMs, maxMs } = record(adaptiveTimeout);
    if (typeof minMs === 'number' && typeof maxMs === 'number' && minMs > maxMs) {
      const path = at('adaptiveTimeout', 'minMs');
      problems.push({ path, expected: `at most adaptiveTimeout.maxMs (${maxMs})`, got: String(minMs) });
    }
    for (const [index, other] of (Array.isArray(failover) ? failover : []).entries()) {
      if (typeof other !== 'string' || (other !== name && Object.hasOwn(record(zones), other))) continue;
      problems.push({ path: at('failover', index), expected: 'the name of another zone', got: JSON.stringify(other) });
    }
  }
  return problems;
}

function burstProblem(limit: unknown, path: string): Problem[] {
  const { max, burst } = record(limit);
  if (typeof max !== 'number' || typeof burst !== 'number' || burst <= max) return [];
  return [{ path, expected: `at most max (${max})`, got: String(burst) }];
}

/** Values whose names speak of secrets are not repeated. */
const SECRET_PLACE = /secret|token|api[-_]?key|auth|password|credential/i;

function describe(value: unknown, path: Path): string {
  switch (typeof value) {
    case 'string': {
      if (path.some((part) => SECRET_PLACE.test(String(part)))) return 'a string';
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
    }
    case 'number':
    case 'boolean':
      return String(value);
    case 'undefined':
      return 'nothing';
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'a list' : 'an object';
    default:
      return `a ${typeof value}`;
  }
}

function at(input: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  );
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function text(path: Path): string {
  return path.length === 0 ? 'configuration' : path.map(String).join('.');
}
