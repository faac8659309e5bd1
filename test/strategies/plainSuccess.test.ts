import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, decideByRules } from '../../src/queue/strategies/decide.ts';
import type { DecisionInput } from '../../src/queue/strategies/decision.ts';
import { plainSuccess } from '../../src/queue/strategies/plainSuccess.ts';
import type { Effect } from '../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../src/queue/types/request.ts';

const NOW = 1_900_000_000_000;
const EFFECTS: readonly Effect[] = ['read', 'absolute', 'delete', 'create', 'action', 'relative'];

const inputs: fc.Arbitrary<DecisionInput> = fc
  .record({
    status: fc.oneof(fc.integer({ min: 195, max: 305 }), fc.constantFrom(404, 409, 500, 503)),
    effect: fc.constantFrom(...EFFECTS),
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
    body: fc.string({ maxLength: 20 }),
    headers: fc.array(
      fc.constantFrom(['set-cookie', 'a=1'] as const, ['etag', '"1"'] as const, ['retry-after', '9'] as const),
    ),
    durable: fc.boolean(),
    hasCaller: fc.boolean(),
    keyed: fc.boolean(),
    unresolved: fc.boolean(),
    isBodyLost: fc.boolean(),
    faults: fc.nat(3),
  })
  .map((given) => ({
    request: {
      content: { method: given.method, path: '/x', headers: [], body: null },
      effect: given.effect,
      progress: { ...NO_PROGRESS, faults: given.faults, unresolved: given.unresolved },
      firstSentAt: NOW,
      expiresAt: null,
      durable: given.durable,
    },
    token: 1,
    origin: 'https://a',
    result: {
      phase: 'answered',
      response: { status: given.status, headers: given.headers, body: Buffer.from(given.body) },
      bodyError: given.isBodyLost ? new Error('lost') : undefined,
    },
    now: NOW,
    random: () => 0,
    hasCaller: given.hasCaller,
    keyed: given.keyed,
    keyTtlMs: null,
    refreshed: false,
    zone: {
      retryAnswered5xx: false,
      canRefresh: false,
      declaredAuth: false,
      hasProbe: false,
      served: 0,
      everAnswered: true,
      othersAnswer: true,
    },
    policy: {
      maxAttempts: 8,
      baseDelayMs: 500,
      maxDelayMs: 60_000,
      callerMaxDelayMs: 20_000,
      giveUpAfterMs: 86_400_000,
      readGiveUpAfterMs: 60_000,
      resendWindowMs: 600_000,
      maxStoredResultBytes: 10,
    },
  }));

describe('the short cut for a plain success', () => {
  it('comes to what the rules come to, wherever it is taken', () => {
    let taken = 0;
    fc.assert(
      fc.property(inputs, (input) => {
        const short = plainSuccess(input);
        if (short === undefined) return;
        taken += 1;
        expect(short).toEqual(decideByRules(input));
      }),
      { numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('leaves every input decided as by the rules', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        expect(decide(input)).toEqual(decideByRules(input));
      }),
    );
  });
});
