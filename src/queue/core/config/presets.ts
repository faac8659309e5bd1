import type { QueueOptions } from './options.ts';

/** The defaults: memory, nothing survives the process. */
export function createDefaultConfiguration(overrides: QueueOptions = {}): QueueOptions {
  return merged({}, overrides);
}

/** For services: SQLite on disk, room for a long outage, calls that are shared, less important ones refused before nothing fits. */
export function createProductionConfiguration(overrides: QueueOptions = {}): QueueOptions {
  return merged({ backend: { kind: 'sqlite' }, maxSize: 100_000, batchingEnabled: true, shedding: true }, overrides);
}

/** For working on an app: failures show soon, old records do not pile up. */
export function createDevelopmentConfiguration(overrides: QueueOptions = {}): QueueOptions {
  return merged(
    {
      maxSize: 1_000,
      maxAttempts: 4,
      retry: { baseDelayMs: 200, maxDelayMs: 5_000 },
      retention: { succeededMs: 3_600_000, deadMs: 86_400_000, maxRecords: 10_000 },
      closeTimeoutMs: 2_000,
    },
    overrides,
  );
}

/** For an app's own tests: memory, and delays so short that retries happen within a test. */
export function createTestConfiguration(overrides: QueueOptions = {}): QueueOptions {
  return merged(
    {
      name: 'test',
      backend: { kind: 'memory' },
      maxSize: 1_000,
      retry: { baseDelayMs: 5, maxDelayMs: 50 },
      attemptTimeoutMs: 2_000,
      closeTimeoutMs: 1_000,
    },
    overrides,
  );
}

/** Overrides win; `retry` and `retention` are merged field by field; `undefined` is absent. */
function merged(preset: QueueOptions, overrides: QueueOptions): QueueOptions {
  const options: QueueOptions = { ...preset, ...defined(overrides) };
  const nested = Object.fromEntries(
    (['retry', 'retention'] as const)
      .filter((key) => isObject(preset[key]) && isObject(overrides[key]))
      .map((key) => [key, { ...preset[key], ...defined(overrides[key] ?? {}) }]),
  );
  return { ...options, ...nested };
}

function defined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Overrides are checked later, with everything else: here they may be anything. */
function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
