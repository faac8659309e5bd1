import { describe, expect, it } from 'vitest';
import { holdfastError } from '../../src/errors.ts';
import type { ZoneOptions } from '../../src/queue/core/config/options.ts';
import { createProductionConfiguration } from '../../src/queue/core/config/presets.ts';
import { resolveConfiguration, validateConfiguration } from '../../src/queue/core/config/resolve.ts';
import { BREAKER_DEFAULTS } from '../../src/queue/strategies/breaker/policy.ts';

const origins = ['https://crm.test'];

function resolved(options: Omit<ZoneOptions, 'origins'>) {
  const [crm] = Object.values(resolveConfiguration({ zones: { crm: { origins, ...options } } }).zones);
  return crm;
}

function problems(options: object): string[] {
  return validateConfiguration({
    zones: { crm: { origins, ...options }, other: { origins: ['https://other.test'] } },
  }).map(({ path, expected, got }) => `${path}: ${expected}, got ${got}`);
}

describe('the gates of a zone', () => {
  it('have the documented defaults', () => {
    expect(resolved({})).toMatchObject({
      maxConcurrency: 10,
      adaptiveConcurrency: true,
      rateLimit: null,
      breaker: BREAKER_DEFAULTS,
      endpoint: undefined,
      classes: undefined,
      priorityShares: { low: 0.5, bulk: 0.25 },
      adaptiveTimeout: { minMs: 1_000, maxMs: null },
      retryBudget: { tokens: 50, perMinute: 6 },
      failover: [],
      staleReads: undefined,
    });
  });

  it('can be left out', () => {
    expect(resolved({ breaker: false, adaptiveTimeout: false, retryBudget: false })).toMatchObject({
      breaker: null,
      adaptiveTimeout: null,
      retryBudget: null,
    });
  });

  it('take undefined for absent, at every level', () => {
    const breaker = { openMs: undefined, rampMs: 1 };
    expect(resolved({ breaker, rateLimit: undefined, priorityShares: { low: undefined } })).toMatchObject({
      breaker: { ...BREAKER_DEFAULTS, rampMs: 1 },
      rateLimit: null,
      priorityShares: { low: 0.5, bulk: 0.25 },
    });
  });

  it('of an endpoint are those of all endpoints but for what it says itself', () => {
    const of = () => 'a';
    const rateLimit = { max: 5, perMs: 1_000 };
    const endpoint = {
      of,
      maxConcurrency: 3,
      rateLimit,
      byName: { a: { maxConcurrency: 1 }, b: { breaker: false } },
    } as const;
    expect(resolved({ endpoint })?.endpoint).toMatchObject({
      limits: { maxConcurrency: 3, rateLimit: { max: 5, perMs: 1_000, burst: 1, algorithm: 'tokenBucket' } },
      byName: {
        a: { maxConcurrency: 1, rateLimit: { max: 5 }, breaker: BREAKER_DEFAULTS },
        b: { maxConcurrency: 3, breaker: null },
      },
    });
    expect(resolved({ endpoint: of, maxConcurrency: 4 })?.endpoint).toMatchObject({ limits: { maxConcurrency: 4 } });
  });

  it('let a rate burst by a tenth where nothing is said', () => {
    expect(resolved({ rateLimit: { max: 95, perMs: 60_000 } })?.rateLimit?.burst).toBe(9);
  });

  it('open for no less than they begin with', () => {
    expect(resolved({ breaker: { openMs: 600_000 } })?.breaker?.maxOpenMs).toBe(600_000);
  });

  it('are wrong in every way that is told at once', () => {
    expect(
      problems({
        rateLimit: { max: 5, perMs: 1_000, burst: 6 },
        breaker: { openMS: 5 },
        endpoint: { maxConcurrency: 0, byName: { a: { rateLimit: { max: 1 } } } },
        priorityShares: { bulk: 2 },
        classes: { reads: 1 },
        adaptiveTimeout: { minMs: 10, maxMs: 5 },
        retryBudget: 7,
        failover: ['crm', 'nobody', 'other', 3],
        staleReads: {},
      }),
    ).toEqual([
      expect.stringContaining("zones.crm.breaker.openMS: a known name (did you mean 'openMs'?)"),
      expect.stringContaining('zones.crm.endpoint.of: a function'),
      expect.stringContaining('zones.crm.endpoint.maxConcurrency: a whole number of at least 1'),
      expect.stringContaining('zones.crm.endpoint.byName.a.rateLimit.perMs: milliseconds'),
      expect.stringContaining("zones.crm.classes.reads: a known name (did you mean 'read'?)"),
      expect.stringContaining('zones.crm.priorityShares.bulk: a number above 0, up to 1'),
      expect.stringContaining('zones.crm.retryBudget: an object of options, or false'),
      expect.stringContaining('zones.crm.failover.3'),
      expect.stringContaining('zones.crm.staleReads.maxAgeMs: milliseconds'),
      expect.stringContaining('zones.crm.rateLimit.burst: at most max (5), got 6'),
      expect.stringContaining('zones.crm.adaptiveTimeout.minMs: at most adaptiveTimeout.maxMs (5), got 10'),
      expect.stringContaining('zones.crm.failover.0: the name of another zone, got "crm"'),
      expect.stringContaining('zones.crm.failover.1: the name of another zone, got "nobody"'),
    ]);
  });

  it.each(['a#b', 'a~read', 'a!low', 'a|list'])('keep the name %j for themselves', (name) => {
    expect(() => resolveConfiguration({ zones: { [name]: { origins } } })).toThrow('without #, ~, | and !');
  });
});

describe('options of the queue', () => {
  it('let timeouts grow to what was set, or to a minute', () => {
    expect(resolveConfiguration().longestTimeoutMs).toBe(60_000);
    expect(resolveConfiguration({ attemptTimeoutMs: 4_000 }).longestTimeoutMs).toBe(4_000);
  });

  it('shed load where they say so, and in production', () => {
    expect(resolveConfiguration({ shedding: true }).shedding).toEqual({ eventLoopDelayMs: 200, storeMs: 2_000 });
    expect(resolveConfiguration({ shedding: { storeMs: 5 } }).shedding).toEqual({ eventLoopDelayMs: 200, storeMs: 5 });
    expect(resolveConfiguration(createProductionConfiguration()).shedding).not.toBeNull();
    expect(resolveConfiguration(createProductionConfiguration({ shedding: false })).shedding).toBeNull();
    try {
      resolveConfiguration({ shedding: { store: 5 } } as never);
      expect.unreachable();
    } catch (error) {
      expect(holdfastError(error, 'CONFIG_INVALID')?.details.problems[0]).toMatchObject({ path: 'shedding.store' });
    }
  });
});
