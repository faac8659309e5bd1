import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import {
  createDefaultConfiguration,
  createDevelopmentConfiguration,
  createProductionConfiguration,
  createTestConfiguration,
} from '../../src/queue/core/config/presets.ts';
import { resolveConfiguration, validateConfiguration } from '../../src/queue/core/config/resolve.ts';
import type { ResolvedConfiguration, ResolvedZone } from '../../src/queue/core/config/types.ts';

const zone = { origins: ['https://api.example.com'] };

function zoneOf({ zones }: ResolvedConfiguration): ResolvedZone | undefined {
  return Object.values(zones)[0];
}

function pathsOf(input: unknown): string[] {
  return validateConfiguration(input).map((problem) => problem.path);
}

describe('resolveConfiguration', () => {
  it('fills in the documented defaults', () => {
    const { logger: _, ...rest } = resolveConfiguration();
    expect(rest).toEqual({
      name: 'queue',
      backend: { kind: 'memory' },
      maxSize: 10_000,
      whenFull: 'reject',
      maxBytes: 268_435_456,
      maxConcurrency: 25,
      priorityStrategy: 'priority',
      ageingMs: 60_000,
      batchingEnabled: false,
      maxBatchSize: 20,
      batchTimeoutMs: 10,
      flows: { by: 'priority', weights: {} },
      durability: 'full',
      retention: { succeededMs: 86_400_000, deadMs: 2_592_000_000, maxRecords: 100_000, maxBytes: 268_435_456 },
      retry: { baseDelayMs: 500, maxDelayMs: 60_000, callerMaxDelayMs: 20_000, delay: undefined },
      maxAttempts: 8,
      giveUpAfterMs: 86_400_000,
      readGiveUpAfterMs: 60_000,
      readTtlMs: 300_000,
      resendWindowMs: 600_000,
      dedupeWindowMs: 0,
      leaseMs: 30_000,
      attemptTimeoutMs: 30_000,
      longestTimeoutMs: 60_000,
      shedding: null,
      closeTimeoutMs: 10_000,
      settleAck: 'durable',
      maxStoredResultBytes: 65_536,
      principal: undefined,
      dispatch: true,
      zones: {},
    });
  });

  it('treats undefined as absent at every level', () => {
    const options: QueueOptions = {
      maxSize: undefined,
      backend: undefined,
      retry: { baseDelayMs: undefined, maxDelayMs: 30_000 },
      retention: { deadMs: undefined },
      zones: { crm: { ...zone, maxConcurrency: undefined, idempotency: undefined, probe: undefined } },
    };
    const config = resolveConfiguration(options);
    expect(config.maxSize).toBe(10_000);
    expect(config.retry.baseDelayMs).toBe(500);
    expect(config.retention.deadMs).toBe(2_592_000_000);
    expect(zoneOf(config)?.maxConcurrency).toBe(10);
  });

  it('names the database after the queue', () => {
    expect(resolveConfiguration({ name: 'orders', backend: { kind: 'sqlite' } }).backend).toEqual({
      kind: 'sqlite',
      path: './data/orders.db',
    });
    expect(resolveConfiguration({ backend: { kind: 'sqlite', path: '/var/q.db' } }).backend).toEqual({
      kind: 'sqlite',
      path: '/var/q.db',
    });
  });

  it.each([
    [{ baseDelayMs: 100_000 }, { baseDelayMs: 100_000, maxDelayMs: 100_000, callerMaxDelayMs: 20_000 }],
    [{ maxDelayMs: 50 }, { baseDelayMs: 50, maxDelayMs: 50, callerMaxDelayMs: 50 }],
    [
      { baseDelayMs: 1, maxDelayMs: 2 },
      { baseDelayMs: 1, maxDelayMs: 2, callerMaxDelayMs: 2 },
    ],
  ])('lets the default of one delay give way to the other: %j', (retry, expected) => {
    expect(resolveConfiguration({ retry }).retry).toMatchObject(expected);
  });

  it.each([
    ['ietf', { header: 'idempotency-key', ttlMs: 86_400_000, quoting: 'string' }],
    ['stripe', { header: 'idempotency-key', ttlMs: 86_400_000, quoting: 'bare', replayHeader: 'idempotent-replayed' }],
    ['stripe-v2', { header: 'idempotency-key', ttlMs: 2_592_000_000, methods: ['POST', 'DELETE'] }],
    ['oasis', { header: 'repeatability-request-id', firstSentHeader: 'repeatability-first-sent', ttlMs: 300_000 }],
    [{ header: 'X-Key' }, { header: 'x-key', ttlMs: 86_400_000, quoting: 'bare', methods: null, replayHeader: null }],
    [
      { header: 'X-Key', methods: ['post'], ignoredHeader: { name: 'X-Status', value: 'Ignored' } },
      { header: 'x-key', methods: ['POST'], ignoredHeader: { name: 'x-status', value: 'ignored' } },
    ],
    [
      { header: 'X-Key', ttlMs: null, quoting: 'string' },
      { header: 'x-key', ttlMs: null, quoting: 'string' },
    ],
  ] as const)('resolves the idempotency %j', (idempotency, expected) => {
    expect(zoneOf(resolveConfiguration({ zones: { crm: { ...zone, idempotency } } }))?.idempotency).toMatchObject(
      expected,
    );
  });

  it('normalises origins, secret headers and the health check', () => {
    const { crm } = resolveConfiguration({
      zones: {
        crm: {
          origins: ['https://API.example.com:443/', 'http://localhost:8080'],
          secretHeaders: ['UserName'],
          healthCheck: { path: '/health' },
        },
      },
    }).zones;
    expect(crm).toMatchObject({
      origins: ['https://api.example.com', 'http://localhost:8080'],
      secretHeaders: ['username'],
      healthCheck: { path: '/health', method: 'GET', expectStatus: null },
    });
  });

  it('is frozen all the way down', () => {
    const config = resolveConfiguration({
      zones: { crm: { ...zone, idempotency: 'ietf', healthCheck: { path: '/' } } },
    });
    const crm = zoneOf(config);
    for (const part of [
      config,
      config.retry,
      config.retention,
      config.backend,
      config.zones,
      crm,
      crm?.origins,
      crm?.idempotency,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('throws one CONFIG_INVALID that lists every problem', () => {
    const act = () => resolveConfiguration({ maxSize: 0, leaseMs: 1.5, name: 'a/b' });
    expect(act).toThrow(HoldfastError);
    try {
      act();
    } catch (error) {
      expect(error).toMatchObject({ code: 'CONFIG_INVALID', details: { problems: [{}, {}, {}] } });
      expect((error as HoldfastError).message).toContain('3 problems');
    }
  });
});

describe('validateConfiguration', () => {
  it('accepts an empty configuration, and every preset', () => {
    const presets = [
      {},
      createDefaultConfiguration(),
      createProductionConfiguration(),
      createDevelopmentConfiguration(),
      createTestConfiguration(),
    ];
    for (const preset of presets) expect(validateConfiguration(preset)).toEqual([]);
  });

  it('reports every problem at once, with its path', () => {
    const input = {
      maxsize: 1,
      name: '',
      retry: { baseDelayMs: 'x', foo: 1 },
      retention: 4,
      whenFull: 'drop',
      dispatch: 'no',
      logger: { info: () => undefined },
      principal: '',
      zones: {
        'https://x': zone,
        crm: { origins: ['https://a/b', 3], idempotency: { heade: 'x' }, probe: 4, healthCheck: {}, classify: 1 },
        b: 5,
        c: { origins: [], idempotency: 'none', maxConcurrency: 0 },
      },
    };
    expect(pathsOf(input).sort()).toEqual(
      [
        'maxsize',
        'name',
        'retry.baseDelayMs',
        'retry.foo',
        'retention',
        'whenFull',
        'dispatch',
        'logger',
        'principal',
        'zones.https://x',
        'zones.crm.origins.0',
        'zones.crm.origins.1',
        'zones.crm.idempotency.header',
        'zones.crm.idempotency.heade',
        'zones.crm.probe',
        'zones.crm.healthCheck.path',
        'zones.crm.classify',
        'zones.b',
        'zones.c.origins',
        'zones.c.idempotency',
        'zones.c.maxConcurrency',
      ].sort(),
    );
  });

  it.each([
    [{ maxsize: 1 }, 'maxSize'],
    [{ retry: { baseDelay: 1 } }, 'baseDelayMs'],
    [{ retention: { maxRecord: 1 } }, 'maxRecords'],
    [{ backend: { kind: 'sqlite', pth: 'x' } }, 'path'],
    [{ zones: { crm: { ...zone, origin: 'x' } } }, 'origins'],
    [{ zones: { crm: { ...zone, idempotency: { header: 'x', ttlM: 1 } } } }, 'ttlMs'],
    [{ zones: { crm: { ...zone, healthCheck: { path: '/', expectedStatus: 200 } } } }, 'expectStatus'],
  ])('names the nearest known key of %j', (input, nearest) => {
    expect(validateConfiguration(input)).toMatchObject([{ expected: `a known name (did you mean '${nearest}'?)` }]);
  });

  it.each([
    [{ kind: 'mongo' }, 'backend.kind'],
    [{ kind: 'redis', prot: 1 }, 'backend.prot'],
    [{ kind: 'redis', port: 0 }, 'backend.port'],
    [{ kind: 'redis', url: 'http://localhost' }, 'backend.url'],
    [{ kind: 'redis', url: 'redis://localhost', host: 'other' }, 'backend.host'],
    [{ kind: 'redis', cluster: [] }, 'backend.cluster'],
    [{ kind: 'redis', cluster: [{ port: 1 }], db: 1 }, 'backend.db'],
    [{ kind: 'redis', sentinelName: 'main' }, 'backend.sentinelName'],
    [{ kind: 'redis', waitAof: 1, waitReplicas: 1 }, 'backend.waitReplicas'],
    [{ kind: 'redis', keyPrefix: 'a{b}' }, 'backend.keyPrefix'],
    [{ kind: 'redis', spill: { path: '' } }, 'backend.spill.path'],
    [{ kind: 'memory', path: 'x' }, 'backend.path'],
    [{ kind: 'sqlite', path: '' }, 'backend.path'],
    ['sqlite', 'backend'],
    [{ open: 1 }, 'backend'],
  ])('refuses the backend %j', (backend, path) => {
    expect(pathsOf({ backend })).toEqual([path]);
  });

  it.each(['ftp://a', 'https://a/path', 'https://a?x', 'https://u:p@a', 'a.example', '//a', ''])(
    'refuses the origin %j',
    (origin) => {
      expect(pathsOf({ zones: { crm: { origins: [origin] } } })).toEqual(['zones.crm.origins.0']);
    },
  );

  it('refuses an origin that two zones claim', () => {
    const zones = { a: { origins: ['https://x'] }, b: { origins: ['https://X:443/'] } };
    expect(validateConfiguration({ zones })).toMatchObject([
      { path: 'zones.b.origins.0', got: "https://x, which zone 'a' has" },
    ]);
  });

  it('refuses a base delay above the maximum', () => {
    expect(pathsOf({ retry: { baseDelayMs: 5, maxDelayMs: 4 } })).toEqual(['retry.baseDelayMs']);
  });

  it.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-1', -1],
    ['1.5', 1.5],
    ['"5"', '5'],
    ['null', null],
  ])('refuses %s as a duration', (_, value) => {
    expect(pathsOf({ giveUpAfterMs: value })).toEqual(['giveUpAfterMs']);
  });

  it.each([
    ['null', null],
    ['a number', 5],
    ['a string', 'x'],
    ['a list', []],
  ])('refuses %s as a configuration', (_, input) => {
    expect(pathsOf(input)).toEqual(['configuration']);
  });

  it('repeats no value that may be a credential', () => {
    const problems = validateConfiguration({ zones: { crm: { ...zone, auth: 'Bearer s3cret' } } });
    expect(problems).toMatchObject([{ path: 'zones.crm.auth', got: 'a string' }]);
    expect(JSON.stringify(problems)).not.toContain('s3cret');
  });
});

describe('presets', () => {
  it('merge nested options and let overrides win', () => {
    const options = createDevelopmentConfiguration({
      maxSize: 7,
      retry: { maxDelayMs: 9_000 },
      maxAttempts: undefined,
    });
    expect(options).toMatchObject({ maxSize: 7, maxAttempts: 4, retry: { baseDelayMs: 200, maxDelayMs: 9_000 } });
  });

  it('store on disk in production', () => {
    const config = resolveConfiguration(createProductionConfiguration());
    expect(config.backend).toEqual({ kind: 'sqlite', path: './data/queue.db' });
    expect(config.maxSize).toBe(100_000);
  });

  it('hand on bad overrides to validation', () => {
    const bad = JSON.parse('{"retry":5,"maxSize":"x"}') as QueueOptions;
    expect(pathsOf(createTestConfiguration(bad)).sort()).toEqual(['maxSize', 'retry']);
  });
});
