import type { Problem } from '../../../errors.ts';
import { HoldfastError } from '../../../errors.ts';
import type { Expectation } from '../../strategies/authentic.ts';
import type { IdempotencyDialect } from '../../strategies/dialects.ts';
import { DIALECTS } from '../../strategies/dialects.ts';
import type { Backend } from '../../types/backend.ts';
import {
  CALLER_MAX_DELAY_MS,
  DEFAULTS,
  IDEMPOTENCY_TTL_MS,
  LONGEST_TIMEOUT_MS,
  RETENTION_DEFAULTS,
  RETRY_DEFAULTS,
  ZONE_DEFAULTS,
} from './defaults.ts';
import { defined } from './defined.ts';
import type {
  BackendOption,
  ExpectOptions,
  HealthCheckOptions,
  IdempotencyOption,
  QueueOptions,
  RetryOptions,
  RuleOptions,
  ZoneOptions,
} from './options.ts';
import { configurationProblems } from './problems.ts';
import { resolveGates, resolveShedding } from './resolveGates.ts';
import { resolveFlows } from './schedulingSchema.ts';
import type {
  ResolvedBackend,
  ResolvedConfiguration,
  ResolvedHealthCheck,
  ResolvedRule,
  ResolvedZone,
} from './types.ts';

import { parseOrigin } from './zoneSchema.ts';

/** Everything that is wrong with a configuration; an empty list when it can be used. */
export function validateConfiguration(input: unknown): readonly Problem[] {
  return configurationProblems(input);
}

/**
 * The complete, frozen configuration: defaults where options are absent or `undefined`.
 * @throws CONFIG_INVALID with every problem in `details.problems`
 */
export function resolveConfiguration(options: QueueOptions = {}): ResolvedConfiguration {
  const problems = configurationProblems(options);
  if (problems.length > 0) throw new HoldfastError('CONFIG_INVALID', messageOf(problems), { problems });
  const { backend, retention, retry, zones, shedding, flows, ...plain } = options;
  const base = { ...DEFAULTS, ...defined(plain) };
  return Object.freeze({
    ...base,
    longestTimeoutMs: options.attemptTimeoutMs ?? LONGEST_TIMEOUT_MS,
    flows: resolveFlows(flows),
    shedding: resolveShedding(shedding),
    backend: Object.freeze(resolveBackend(backend, base.name)),
    retention: Object.freeze({ ...RETENTION_DEFAULTS, ...defined(retention ?? {}) }),
    retry: Object.freeze(resolveRetry(retry ?? {})),
    zones: Object.freeze(
      Object.fromEntries(
        Object.entries(zones ?? {}).map(([name, zone]) => [name, resolveZone(zone, base.batchingEnabled)]),
      ),
    ),
  });
}

/** Where one bound alone is given, the default of the other gives way. */
function resolveRetry({ baseDelayMs, maxDelayMs, delay }: RetryOptions): ResolvedConfiguration['retry'] {
  const max = maxDelayMs ?? Math.max(RETRY_DEFAULTS.maxDelayMs, baseDelayMs ?? 0);
  return {
    baseDelayMs: baseDelayMs ?? Math.min(RETRY_DEFAULTS.baseDelayMs, max),
    maxDelayMs: max,
    callerMaxDelayMs: Math.min(max, CALLER_MAX_DELAY_MS),
    delay,
  };
}

function resolveBackend(option: BackendOption | undefined, name: string): ResolvedBackend {
  if (option === undefined) return { kind: 'memory' };
  if (!('kind' in option)) return { kind: 'custom', backend: option satisfies Backend };
  if (option.kind === 'memory') return { kind: 'memory' };
  if (option.kind === 'redis') {
    const { kind, spill, ...options } = option;
    return { kind, options: Object.freeze(defined(options)), spill: spill && Object.freeze({ path: spill.path }) };
  }
  return { kind: 'sqlite', path: option.path ?? `./data/${name}.db` };
}

function resolveZone(zone: ZoneOptions, batchingEnabled: boolean): ResolvedZone {
  const { origins, idempotency, healthCheck, secretHeaders, probe, effectOf, classify, auth } = zone;
  const { respond, offline, mode, honorPrefer, noRetryHeaders } = zone;
  return Object.freeze({
    origins: Object.freeze(origins.map((origin) => parseOrigin(origin) ?? origin)),
    ...resolveGates(zone),
    idempotency: idempotency === undefined ? undefined : Object.freeze(resolveIdempotency(idempotency)),
    effectOf,
    classify,
    classifyError: zone.classifyError,
    profile: zone.profile,
    probe,
    healthCheck: healthCheck === undefined ? undefined : Object.freeze(resolveHealthCheck(healthCheck)),
    expect: zone.expect === undefined ? undefined : Object.freeze(resolveExpectation(zone.expect)),
    auth,
    secretHeaders: Object.freeze((secretHeaders ?? []).map((name) => name.toLowerCase())),
    retryAnswered5xx: zone.retryAnswered5xx ?? ZONE_DEFAULTS.retryAnswered5xx,
    rules: Object.freeze((zone.rules ?? []).map(resolveRule)),
    batch: Object.freeze(batchingEnabled && zone.batch !== undefined ? [zone.batch].flat() : []),
    ...defined({ respond, offline, mode, honorPrefer, noRetryHeaders }),
  });
}

function resolveRule({ path, method, ...options }: RuleOptions): ResolvedRule {
  const pattern = path
    .split('**')
    .map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&').replaceAll('*', '[^/]*'))
    .join('.*');
  return Object.freeze({
    path: new RegExp(`^${pattern}$`),
    method: method?.toUpperCase() ?? null,
    options: Object.freeze(defined(options)),
  });
}

function resolveIdempotency(option: IdempotencyOption): IdempotencyDialect {
  if (typeof option === 'string') return DIALECTS[option];
  const { ignoredHeader } = option;
  return {
    header: option.header.toLowerCase(),
    ttlMs: option.ttlMs === undefined ? IDEMPOTENCY_TTL_MS : option.ttlMs,
    quoting: option.quoting ?? 'bare',
    methods: option.methods?.map((method) => method.toUpperCase()) ?? null,
    firstSentHeader: option.firstSentHeader?.toLowerCase() ?? null,
    replayHeader: option.replayHeader?.toLowerCase() ?? null,
    ignoredHeader:
      ignoredHeader === undefined
        ? null
        : { name: ignoredHeader.name.toLowerCase(), value: ignoredHeader.value.toLowerCase() },
    storesFailures: option.storesFailures ?? false,
  };
}

function resolveExpectation({ contentTypes, header }: ExpectOptions): Expectation {
  return {
    contentTypes: contentTypes?.map((type) => type.toLowerCase()) ?? null,
    header:
      header === undefined ? null : { name: header.name.toLowerCase(), value: header.value?.toLowerCase() ?? null },
  };
}

function resolveHealthCheck(option: HealthCheckOptions): ResolvedHealthCheck {
  return { path: option.path, method: option.method ?? 'GET', expectStatus: option.expectStatus ?? null };
}

function messageOf(problems: readonly Problem[]): string {
  const lines = problems.map(({ path, expected, got }) => `  ${path}: expected ${expected}, got ${got}`);
  return `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${lines.join('\n')}`;
}
