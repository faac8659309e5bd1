import type { HeaderList } from '../../types/request.ts';
import { callCount, fieldValue, resetValueMs } from './fieldValues.ts';
import type { RateHint, Told } from './hints.ts';
import type { StructuredItem } from './structuredList.ts';
import { parseStructuredList } from './structuredList.ts';

/** A member of `RateLimit-Policy`. */
interface Policy {
  readonly quota: number;
  readonly unit: string;
  readonly windowMs: number | null;
}

type Policies = ReadonlyMap<string, Policy>;

/** `request` stood in the registry of earlier drafts. */
const CALLS: ReadonlySet<string> = new Set(['requests', 'request']);
const CONCURRENT = 'concurrent-requests';

/**
 * `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers: lists of policies with parameters (`r` left, `t` seconds;
 * `q` quota, `qu` unit, `w` seconds). Before its version 08 `RateLimit` was a dictionary of `limit`, `remaining` and `reset`, and a policy was
 * named by its quota.
 */
export function draftHints(headers: HeaderList, sentAt: number): Told {
  const policies = policiesOf(items(headers, 'ratelimit-policy'));
  const limits = items(headers, 'ratelimit');
  const quotas = limits.some(isKeyed) ? keyedQuotas(limits, sentAt) : listedQuotas(limits, policies);
  return { quotas: quotas.length > 0 ? quotas : declaredQuotas(policies), concurrency: concurrencyOf(policies) };
}

function items(headers: HeaderList, name: string): readonly StructuredItem[] {
  const value = fieldValue(headers, name);
  return value === undefined ? [] : (parseStructuredList(value) ?? []);
}

function policiesOf(members: readonly StructuredItem[]): Policies {
  const policies = new Map<string, Policy>();
  for (const { name, parameters } of members) {
    const quota = callCount(parameters.get('q')) ?? callCount(name);
    if (quota === null) continue;
    const known = policies.get(name);
    if (known !== undefined && known.quota <= quota) continue;
    policies.set(name, { quota, unit: parameters.get('qu') ?? 'requests', windowMs: seconds(parameters.get('w')) });
  }
  return policies;
}

function listedQuotas(limits: readonly StructuredItem[], policies: Policies): RateHint[] {
  const [only] = policies.size === 1 && limits.length === 1 ? policies.values() : [];
  const quotas: RateHint[] = [];
  for (const { name, parameters } of limits) {
    const remaining = callCount(parameters.get('r'));
    const policy = policies.get(name) ?? only;
    if (remaining === null || policy?.unit === CONCURRENT) continue;
    const isOfCalls = policy === undefined || CALLS.has(policy.unit);
    // How many calls a number of bytes is cannot be told, except that none of them is no call.
    if (!isOfCalls && remaining > 0) continue;
    const resetMs = seconds(parameters.get('t')) ?? policy?.windowMs ?? null;
    quotas.push({ limit: isOfCalls ? (policy?.quota ?? null) : null, remaining, resetMs });
  }
  return quotas;
}

function isKeyed({ name, value }: StructuredItem): boolean {
  return value !== null && name === 'remaining';
}

/** A key that comes again begins the next quota: two fields were merged. */
function keyedQuotas(limits: readonly StructuredItem[], sentAt: number): RateHint[] {
  const found: Map<string, string>[] = [];
  let current: Map<string, string> | undefined;
  for (const { name, value } of limits) {
    if (value === null) continue;
    if (current === undefined || current.has(name)) {
      current = new Map();
      found.push(current);
    }
    current.set(name, value);
  }
  return found.map((keys) => ({
    limit: callCount(keys.get('limit')),
    remaining: callCount(keys.get('remaining')),
    resetMs: resetValueMs(keys.get('reset'), sentAt),
  }));
}

function declaredQuotas(policies: Policies): RateHint[] {
  const ofCalls = [...policies.values()].filter(({ unit }) => CALLS.has(unit));
  return ofCalls.map(({ quota }) => ({ limit: quota, remaining: null, resetMs: null }));
}

function concurrencyOf(policies: Policies): number | null {
  let least: number | null = null;
  for (const { unit, quota } of policies.values()) {
    if (unit === CONCURRENT && (least === null || quota < least)) least = quota;
  }
  return least;
}

function seconds(text: string | undefined): number | null {
  const count = callCount(text);
  return count === null ? null : count * 1_000;
}
