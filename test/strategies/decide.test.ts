import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/queue/strategies/decide.ts';
import type { Decision, DecisionInput, RetryPolicy, ZoneFacts } from '../../src/queue/strategies/decision.ts';
import type { Attempt, Effect, HeaderList, Progress } from '../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../src/queue/types/request.ts';
import { canMove } from '../../src/queue/types/states.ts';
import type { TransportResult } from '../../src/queue/types/transport.ts';

const NOW = 1_900_000_000_000;
const MINUTE = 60_000;

const POLICY: RetryPolicy = {
  maxAttempts: 8,
  baseDelayMs: 500,
  maxDelayMs: 60_000,
  callerMaxDelayMs: 20_000,
  giveUpAfterMs: 24 * 60 * MINUTE,
  readGiveUpAfterMs: 60_000,
  resendWindowMs: 10 * MINUTE,
  maxStoredResultBytes: 16,
};

const ZONE: ZoneFacts = {
  retryAnswered5xx: false,
  canRefresh: false,
  declaredAuth: false,
  hasProbe: false,
  served: 0,
  everAnswered: true,
  othersAnswer: true,
  onlineAt: null,
};

const METHODS: Readonly<Record<Effect, string>> = {
  read: 'GET',
  absolute: 'PUT',
  delete: 'DELETE',
  create: 'POST',
  action: 'POST',
  relative: 'POST',
};

interface Given extends Partial<Omit<DecisionInput, 'zone' | 'policy' | 'request'>> {
  readonly effect?: Effect;
  readonly method?: string;
  readonly headers?: HeaderList;
  readonly progress?: Partial<Progress>;
  readonly firstSentAt?: number;
  readonly expiresAt?: number;
  readonly durable?: boolean;
  readonly zone?: Partial<ZoneFacts>;
  readonly policy?: Partial<RetryPolicy>;
}

function run(given: Given): Decision {
  const {
    effect = 'action',
    method,
    headers,
    progress,
    firstSentAt,
    expiresAt,
    durable,
    zone,
    policy,
    ...rest
  } = given;
  return decide({
    request: {
      content: { method: method ?? METHODS[effect], path: '/x', headers: headers ?? [], body: null },
      effect,
      progress: { ...NO_PROGRESS, ...progress },
      firstSentAt: firstSentAt ?? NOW,
      expiresAt: expiresAt ?? null,
      durable: durable ?? false,
    },
    token: 3,
    origin: 'https://a',
    result: answer(200),
    now: NOW,
    random: () => 0,
    hasCaller: false,
    keyed: false,
    keyTtlMs: null,
    refreshed: false,
    zone: { ...ZONE, ...zone },
    policy: { ...POLICY, ...policy },
    ...rest,
  });
}

function answer(status: number, headers: HeaderList = [], body = ''): TransportResult {
  return { phase: 'answered', response: { status, headers, body: Buffer.from(body) } };
}

function failure(phase: 'notSent' | 'sent', code: string): TransportResult {
  return { phase, error: Object.assign(new Error(code), { code }) };
}

const unanswered = failure('sent', 'ECONNRESET');
const inDoubt: Partial<Progress> = { unresolved: true, unresolvedSince: NOW - 1_000 };

function where({ move }: Decision): string {
  return `${move.state} ${move.reason}`;
}

function attempt(changes: Partial<Attempt>): Attempt {
  return {
    n: 1,
    at: NOW - 1_000,
    phase: 'answered',
    outcome: 'notApplied',
    status: null,
    error: null,
    origin: 'https://a',
    ...changes,
  };
}

describe('an answer to a first attempt', () => {
  // status, effect, with a caller, without one
  it.each([
    [200, 'read', 'succeeded applied', 'succeeded applied'],
    [200, 'action', 'succeeded applied', 'succeeded applied'],
    [202, 'create', 'succeeded applied', 'succeeded applied'],
    [204, 'delete', 'succeeded applied', 'succeeded applied'],
    [207, 'action', 'succeeded applied', 'succeeded applied'],
    [302, 'read', 'succeeded applied', 'succeeded applied'],
    [304, 'read', 'succeeded applied', 'succeeded applied'],
    [301, 'action', 'dead rejected', 'held unknown'],
    [302, 'absolute', 'dead rejected', 'held unknown'],
    [303, 'action', 'succeeded applied', 'succeeded applied'],
    [303, 'absolute', 'dead rejected', 'held unknown'],
    [307, 'action', 'dead rejected', 'dead rejected'],
    [308, 'absolute', 'dead rejected', 'dead rejected'],
    [400, 'action', 'dead rejected', 'dead rejected'],
    [401, 'action', 'dead rejected', 'held auth'],
    [401, 'read', 'dead rejected', 'held auth'],
    [402, 'action', 'dead rejected', 'held quota'],
    [403, 'absolute', 'dead rejected', 'dead rejected'],
    [404, 'read', 'dead rejected', 'dead rejected'],
    [404, 'delete', 'succeeded noop', 'succeeded noop'],
    [410, 'delete', 'succeeded noop', 'succeeded noop'],
    [404, 'absolute', 'dead rejected', 'held conflict'],
    [410, 'absolute', 'dead rejected', 'held conflict'],
    [404, 'action', 'dead rejected', 'dead rejected'],
    [405, 'action', 'dead rejected', 'dead rejected'],
    [407, 'action', 'scheduled retry', 'scheduled retry'],
    [408, 'action', 'scheduled retry', 'scheduled retry'],
    [409, 'action', 'dead rejected', 'held conflict'],
    [409, 'read', 'dead rejected', 'dead rejected'],
    [412, 'absolute', 'dead rejected', 'held conflict'],
    [413, 'action', 'dead rejected', 'dead rejected'],
    [418, 'action', 'dead rejected', 'dead rejected'],
    [421, 'action', 'ready retry', 'ready retry'],
    [422, 'action', 'dead rejected', 'dead rejected'],
    [423, 'action', 'scheduled retry', 'scheduled retry'],
    [424, 'action', 'dead rejected', 'dead rejected'],
    [425, 'create', 'ready retry', 'ready retry'],
    [426, 'action', 'dead rejected', 'held upgrade'],
    [428, 'absolute', 'dead rejected', 'held conflict'],
    [429, 'read', 'scheduled retry', 'scheduled retry'],
    [429, 'create', 'scheduled retry', 'scheduled retry'],
    [451, 'action', 'dead rejected', 'dead rejected'],
    [500, 'read', 'scheduled retry', 'scheduled retry'],
    [500, 'absolute', 'scheduled retry', 'scheduled retry'],
    [500, 'delete', 'scheduled retry', 'scheduled retry'],
    [500, 'action', 'dead rejected', 'held unknown'],
    [500, 'create', 'dead rejected', 'held unknown'],
    [500, 'relative', 'dead rejected', 'held unknown'],
    [501, 'action', 'dead rejected', 'dead rejected'],
    [502, 'action', 'dead rejected', 'held unknown'],
    [502, 'absolute', 'scheduled retry', 'scheduled retry'],
    [503, 'create', 'scheduled retry', 'scheduled retry'],
    [503, 'read', 'scheduled retry', 'scheduled retry'],
    [504, 'action', 'dead rejected', 'held unknown'],
    [505, 'absolute', 'dead rejected', 'dead rejected'],
    [507, 'action', 'scheduled retry', 'scheduled retry'],
    [511, 'action', 'scheduled retry', 'scheduled retry'],
    [520, 'action', 'dead rejected', 'held unknown'],
    [521, 'action', 'scheduled retry', 'scheduled retry'],
    [522, 'delete', 'scheduled retry', 'scheduled retry'],
    [524, 'create', 'dead rejected', 'held unknown'],
    [526, 'create', 'scheduled retry', 'scheduled retry'],
    [529, 'action', 'scheduled retry', 'scheduled retry'],
    [599, 'action', 'dead rejected', 'held unknown'],
  ] as const)('%i to a %s: %s for a caller, else %s', (status, effect, awaited, unawaited) => {
    expect(where(run({ effect, result: answer(status), hasCaller: true }))).toBe(awaited);
    expect(where(run({ effect, result: answer(status), hasCaller: false }))).toBe(unawaited);
  });
});

describe('an answer after an attempt in doubt', () => {
  // status, effect, keyless, keyed
  it.each([
    [200, 'action', 'succeeded applied', 'succeeded applied'],
    [303, 'create', 'unknown serverError', 'unknown serverError'],
    [400, 'action', 'unknown serverError', 'dead rejected'],
    [400, 'absolute', 'dead rejected', 'dead rejected'],
    [401, 'action', 'held auth', 'held auth'],
    [402, 'action', 'held quota', 'held quota'],
    [403, 'absolute', 'unknown serverError', 'unknown serverError'],
    [404, 'delete', 'succeeded appliedEarlier', 'succeeded appliedEarlier'],
    [404, 'absolute', 'held conflict', 'held conflict'],
    [408, 'absolute', 'scheduled retry', 'scheduled retry'],
    [408, 'action', 'unknown serverError', 'scheduled retry'],
    [409, 'action', 'unknown serverError', 'scheduled retry'],
    [412, 'absolute', 'unknown serverError', 'unknown serverError'],
    [422, 'create', 'unknown serverError', 'dead rejected'],
    [429, 'absolute', 'scheduled retry', 'scheduled retry'],
    [429, 'create', 'unknown serverError', 'scheduled retry'],
    [451, 'create', 'unknown serverError', 'dead rejected'],
    [500, 'action', 'unknown serverError', 'scheduled retry'],
    [503, 'absolute', 'scheduled retry', 'scheduled retry'],
    [507, 'delete', 'scheduled retry', 'scheduled retry'],
    [529, 'action', 'unknown serverError', 'scheduled retry'],
  ] as const)('%i to a %s: %s, keyed %s', (status, effect, keyless, keyed) => {
    const given = { effect, result: answer(status), progress: inDoubt, zone: { hasProbe: true } } as const;
    expect(where(run(given))).toBe(keyless);
    expect(where(run({ ...given, keyed: true }))).toBe(keyed);
  });

  it('keeps the doubt until it is resolved', () => {
    const later = run({ effect: 'absolute', result: answer(503), progress: inDoubt });
    expect(later.progress).toMatchObject({ unresolved: true, unresolvedSince: NOW - 1_000 });
    const done = run({ effect: 'absolute', result: answer(200), progress: later.progress });
    expect(done.progress.unresolved).toBe(false);
    expect(done.progress).not.toHaveProperty('unresolvedSince');
  });

  it('is never the end of a request that may have been applied, with a caller either', () => {
    for (const status of [401, 402, 403, 409, 412, 426, 428, 500]) {
      const decision = run({ result: answer(status), progress: inDoubt, hasCaller: true });
      expect(where(decision)).toBe('held unknown');
      expect(decision.final).toBe(true);
    }
  });
});

describe('a call without an answer', () => {
  it.each([
    ['read', {}, 'scheduled retry'],
    ['absolute', {}, 'scheduled retry'],
    ['delete', {}, 'scheduled retry'],
    ['action', {}, 'held unknown'],
    ['create', { hasCaller: true }, 'held unknown'],
    ['create', { zone: { hasProbe: true } }, 'unknown unanswered'],
    ['create', { zone: { hasProbe: true }, hasCaller: true }, 'unknown unanswered'],
    ['action', { keyed: true }, 'scheduled retry'],
    ['relative', { keyed: true, keyTtlMs: 1_000, firstSentAt: NOW - 801 }, 'held unknown'],
    ['action', { keyed: true, keyTtlMs: MINUTE, firstSentAt: NOW - 40_000 }, 'scheduled retry'],
    ['action', { keyed: true, keyTtlMs: null, firstSentAt: NOW - 11 * MINUTE }, 'held unknown'],
    ['action', { headers: [['if-match', '"1"']] }, 'scheduled retry'],
    ['action', { zone: { retryAnswered5xx: true } }, 'held unknown'],
  ] as const)('of a %s with %j: %s', (effect, given, expected) => {
    expect(where(run({ effect, result: unanswered, ...given } as Given))).toBe(expected);
  });

  it('may be resent for as long as the window since the first send in doubt is open', () => {
    const at = (since: number | undefined, firstSentAt: number) =>
      where(
        run({
          effect: 'absolute',
          result: unanswered,
          firstSentAt,
          progress: since === undefined ? { unresolved: true } : { unresolved: true, unresolvedSince: since },
        }),
      );
    expect(at(NOW - 9 * MINUTE, NOW - 120 * MINUTE)).toBe('scheduled retry');
    expect(at(NOW - 10 * MINUTE, NOW - 120 * MINUTE)).toBe('held unknown');
    expect(at(undefined, NOW - 10 * MINUTE)).toBe('held unknown');
    expect(at(undefined, NOW - 9 * MINUTE)).toBe('scheduled retry');
  });

  it('that never reached the server opens no doubt and no window', () => {
    const decision = run({ effect: 'create', result: failure('notSent', 'ECONNREFUSED') });
    expect(decision).toMatchObject({
      move: { state: 'scheduled', reason: 'retry', dueAt: NOW + 500 },
      notSent: true,
      outcome: 'notApplied',
      connectivity: 'unreachable',
      progress: { unresolved: false, faults: 0, delayMs: 0, failingSince: null },
    });
  });

  it.each([
    ['sent', 'ECONNRESET', 'neutral'],
    ['sent', 'CALL_TIMEOUT', 'unanswered'],
    ['sent', 'UND_ERR_HEADERS_TIMEOUT', 'unanswered'],
    ['sent', 'CALL_ABORTED', 'neutral'],
    ['notSent', 'ECONNREFUSED', 'unreachable'],
    ['notSent', 'ENOTFOUND', 'unreachable'],
    ['notSent', 'CERT_HAS_EXPIRED', 'unreachable'],
    ['notSent', 'UND_ERR_CONNECT_TIMEOUT', 'unreachable'],
    ['notSent', 'CALL_TIMEOUT', 'unreachable'],
    ['notSent', 'ENETUNREACH', 'networkDown'],
    ['notSent', 'ENETDOWN', 'networkDown'],
    ['notSent', 'TRANSPORT_CLOSED', 'neutral'],
    ['notSent', 'UND_ERR_INVALID_ARG', 'neutral'],
  ] as const)('%s with %s is %s evidence of the zone', (phase, code, connectivity) => {
    expect(run({ effect: 'read', hasCaller: true, result: failure(phase, code) }).connectivity).toBe(connectivity);
  });

  it('that we ended ourselves goes again at once where that is harmless, and costs nothing', () => {
    const put = run({ effect: 'absolute', result: failure('sent', 'TRANSPORT_CLOSED') });
    expect(where(put)).toBe('ready retry');
    expect(put.progress.faults).toBe(0);
    expect(where(run({ effect: 'create', result: failure('sent', 'TRANSPORT_CLOSED') }))).toBe('held unknown');
    expect(where(run({ effect: 'create', result: failure('notSent', 'TRANSPORT_CLOSED') }))).toBe('ready retry');
  });

  it('is the end of a read whose caller closed the wire', () => {
    const result = failure('sent', 'CALL_ABORTED');
    expect(where(run({ effect: 'read', result }))).toBe('cancelled caller');
    expect(where(run({ effect: 'read', result, hasCaller: true }))).toBe('ready retry');
    expect(where(run({ effect: 'read', result, durable: true }))).toBe('ready retry');
  });

  it('leaves no doubt about a read, whatever its record says', () => {
    const given = { effect: 'read', progress: { unresolved: true, faults: 7 }, result: unanswered } as const;
    expect(where(run({ ...given, hasCaller: true }))).toBe('dead exhausted');
  });
});

describe('a zone that never answered while others do', () => {
  const zone = { everAnswered: false, othersAnswer: true };
  const before = (error: string) => ({ attempts: [1, 2].map((n) => attempt({ n, phase: 'notSent', error })) });
  const third = (code: string, changes: Partial<ZoneFacts> = {}, effect: Effect = 'read') =>
    where(
      run({
        effect,
        hasCaller: true,
        result: failure('notSent', code),
        progress: before(code),
        zone: { ...zone, ...changes },
      }),
    );

  it.each(['ENOTFOUND', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID'])(
    'and fails three times with %s rejects reads and holds writes',
    (code) => {
      expect(third(code)).toBe('dead exhausted');
      expect(third(code, {}, 'create')).toBe('held unreachable');
    },
  );

  it('is waited for otherwise', () => {
    expect(third('ECONNREFUSED')).toBe('scheduled retry');
    expect(third('ENOTFOUND', { othersAnswer: false })).toBe('scheduled retry');
    expect(third('ENOTFOUND', { everAnswered: true })).toBe('scheduled retry');
    const second = { effect: 'read', result: failure('notSent', 'ENOTFOUND'), zone } as const;
    expect(where(run({ ...second, progress: { attempts: [attempt({ phase: 'notSent', error: 'ENOTFOUND' })] } }))).toBe(
      'scheduled retry',
    );
  });
});

describe('giving up', () => {
  it.each([
    [500, 'read', 'dead exhausted'],
    [408, 'create', 'dead exhausted'],
    [500, 'absolute', 'held unknown'],
  ] as const)('after the last attempt that counts, %i to a %s: %s', (status, effect, expected) => {
    const at = (faults: number) => where(run({ effect, result: answer(status), progress: { faults } }));
    expect(at(6)).toBe('scheduled retry');
    expect(at(7)).toBe(expected);
  });

  it.each([502, 503, 504, 529, 521, 429])('counts %i only if the zone served another request since', (status) => {
    const faults = (servedBefore: number | null, served: number) =>
      run({ effect: 'read', result: answer(status), progress: { servedBefore }, zone: { served } }).progress;
    expect(faults(null, 5)).toMatchObject({ faults: 0, servedBefore: 5 });
    expect(faults(5, 5)).toMatchObject({ faults: 0, servedBefore: 5 });
    expect(faults(5, 6)).toMatchObject({ faults: 1, servedBefore: 6 });
    expect(faults(9, 6)).toMatchObject({ faults: 0, servedBefore: 9 });
  });

  it('costs no request its life in an outage of two hours, and ends the one that is its cause', () => {
    const course = (served: (n: number) => number) => {
      let progress: Progress = NO_PROGRESS;
      let now = NOW;
      for (let n = 1; now < NOW + 120 * MINUTE; n++) {
        const given = { result: answer(503), now, token: n, progress, firstSentAt: NOW, random: () => 0.5 };
        const decision = run({ ...given, zone: { served: served(n) } });
        if (decision.final) return where(decision);
        progress = decision.progress;
        now = decision.move.dueAt ?? now;
      }
      return 'alive';
    };
    expect(course(() => 42)).toBe('alive');
    expect(course((n) => n)).toBe('dead exhausted');
  });

  it('happens after the time for it, a minute for a read with a caller', () => {
    const failedFor = (ms: number, given: Given) =>
      where(run({ result: answer(503), progress: { failingSince: NOW - ms }, ...given }));
    expect(failedFor(59_999, { effect: 'read', hasCaller: true })).toBe('scheduled retry');
    expect(failedFor(60_000, { effect: 'read', hasCaller: true })).toBe('dead exhausted');
    expect(failedFor(60_000, { effect: 'read', durable: true })).toBe('scheduled retry');
    expect(failedFor(24 * 60 * MINUTE - 1, {})).toBe('scheduled retry');
    expect(failedFor(24 * 60 * MINUTE, {})).toBe('dead exhausted');
    expect(failedFor(24 * 60 * MINUTE, { effect: 'absolute', progress: { ...inDoubt, failingSince: 0 } })).toBe(
      'held unknown',
    );
  });

  it('does not count the time of an outage', () => {
    const progress = { failingSince: NOW - 48 * 60 * MINUTE };
    const back = run({ result: answer(503), progress, zone: { onlineAt: NOW - MINUTE } });
    expect(where(back)).toBe('scheduled retry');
    expect(back.progress.failingSince).toBe(NOW - MINUTE);
    expect(run({ result: failure('notSent', 'ECONNREFUSED'), progress }).progress.failingSince).toBeNull();
  });

  it('starts afresh for a request that was held and released', () => {
    const { progress } = run({
      effect: 'absolute',
      result: answer(500),
      progress: { faults: 7, delayMs: 9, failingSince: 5 },
    });
    expect(progress).toMatchObject({ faults: 0, delayMs: 0, failingSince: null, unresolved: true });
  });

  it('ends an expired request, unless it may have been applied', () => {
    const given = { result: answer(503), expiresAt: NOW } as const;
    expect(where(run(given))).toBe('dead expired');
    expect(where(run({ ...given, expiresAt: NOW + 1 }))).toBe('scheduled retry');
    expect(where(run({ ...given, effect: 'absolute', progress: inDoubt }))).toBe('held unknown');
    expect(where(run({ ...given, effect: 'absolute', progress: inDoubt, zone: { hasProbe: true } }))).toBe(
      'unknown serverError',
    );
    expect(where(run({ ...given, expiresAt: NOW + 1, effect: 'absolute', progress: inDoubt }))).toBe('held unknown');
    expect(where(run({ ...given, result: answer(200) }))).toBe('succeeded applied');
  });
});

describe('the time of the next attempt', () => {
  it('grows from the previous delay, within the cap', () => {
    const due = (given: Given) =>
      (run({ effect: 'read', result: answer(500), random: () => 0.999_999, ...given }).move.dueAt ?? 0) - NOW;
    expect(due({})).toBe(1_500);
    expect(due({ progress: { delayMs: 4_000 } })).toBe(12_000);
    expect(due({ progress: { delayMs: 50_000 } })).toBe(60_000);
    expect(due({ progress: { delayMs: 50_000 }, hasCaller: true })).toBe(20_000);
  });

  it.each([429, 503])('of %i is not before its Retry-After, for which the whole zone waits', (status) => {
    const decision = run({ result: answer(status, [['retry-after', '3600']]), random: () => 0.5 });
    expect(decision.move.dueAt).toBe(NOW + 3_602_500);
    expect(decision.pauseZoneUntil).toBe(NOW + 3_600_000);
    expect(decision.progress.delayMs).toBeLessThanOrEqual(1_500);
  });

  it('does not grow while nothing can be sent', () => {
    const progress = { delayMs: 30_000 };
    const decision = run({ result: failure('notSent', 'ECONNREFUSED'), progress, random: () => 0.5 });
    expect(decision.move.dueAt).toBe(NOW + 1_000);
    expect(decision.progress.delayMs).toBe(30_000);
  });

  it('lies before the deadline of a request in doubt, which is looked into otherwise', () => {
    const given = { effect: 'absolute', result: answer(503), progress: inDoubt } as const;
    expect(where(run({ ...given, expiresAt: NOW + 500 }))).toBe('held unknown');
    expect(where(run({ ...given, expiresAt: NOW + 501 }))).toBe('scheduled retry');
  });

  it('pauses the zone for no other answer', () => {
    expect(run({ result: answer(503) }).pauseZoneUntil).toBeNull();
    expect(run({ effect: 'read', result: answer(500, [['retry-after', '5']]) }).pauseZoneUntil).toBeNull();
  });

  it('retries a 413 with Retry-After only', () => {
    expect(where(run({ result: answer(413, [['retry-after', '5']]) }))).toBe('scheduled retry');
  });

  it('tries 421 and 425 once more at once, not twice', () => {
    for (const status of [421, 425]) {
      const progress = { attempts: [attempt({ status })] };
      expect(where(run({ result: answer(status), progress }))).toBe('dead rejected');
    }
  });

  it('is what the configured function says, within what the server asks', () => {
    const decision = run({ result: answer(429), policy: { delay: ({ faults, status }) => faults + (status ?? 0) } });
    expect(decision.move.dueAt).toBe(NOW + 429);
    const hinted = run({ result: answer(429, [['retry-after', '9']]), policy: { delay: () => 1 } });
    expect(hinted.move.dueAt).toBe(NOW + 9_000);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('x');
      },
    ],
    ['returns NaN', () => Number.NaN],
    ['returns a negative', () => -1],
  ])('falls back, and says so, when the function %s', (_, delay) => {
    const decision = run({ result: answer(429), policy: { delay } });
    expect(decision.move.dueAt).toBe(NOW + 500);
    expect(decision.policyError).toBeInstanceOf(Error);
  });
});

describe('a 401', () => {
  const given = { result: answer(401), zone: { canRefresh: true, declaredAuth: true } } as const;

  it('is tried again once with a newer credential', () => {
    const decision = run(given);
    expect(decision).toMatchObject({ move: { state: 'ready', reason: 'retry' }, refreshAuth: true, final: false });
    expect(decision.progress.faults).toBe(0);
  });

  it('is a hold after that, or when the last one was just now', () => {
    for (const hasCaller of [true, false]) {
      expect(run({ ...given, refreshed: true, hasCaller })).toMatchObject({
        move: { state: 'held', reason: 'auth' },
        refreshAuth: false,
      });
    }
    const attempts = [attempt({ status: 401 })];
    expect(where(run({ ...given, progress: { attempts } }))).toBe('held auth');
    expect(where(run({ ...given, progress: { attempts: [attempt({ status: 401, at: NOW - 61_000 })] } }))).toBe(
      'ready retry',
    );
  });

  it('goes to the caller of a read, and to any caller where no provider was declared', () => {
    expect(where(run({ ...given, refreshed: true, effect: 'read', hasCaller: true }))).toBe('dead rejected');
    expect(where(run({ result: answer(401), hasCaller: true }))).toBe('dead rejected');
  });
});

describe('a keyed request', () => {
  const conflict = answer(409, [], '{"title":"A request with this Idempotency-Key is in progress"}');

  it('waits for the first send that is still being processed, at no cost', () => {
    const decision = run({ keyed: true, result: conflict });
    expect(where(decision)).toBe('scheduled retry');
    expect(decision.progress.faults).toBe(0);
  });

  it('takes a plain 409 for a conflict, but after a doubt for the same, up to its last attempt', () => {
    expect(where(run({ keyed: true, result: answer(409) }))).toBe('held conflict');
    expect(where(run({ keyed: true, result: answer(409), progress: inDoubt }))).toBe('scheduled retry');
    expect(where(run({ keyed: true, result: answer(409), progress: { ...inDoubt, faults: 7 } }))).toBe('held unknown');
  });

  it('is held when the server says the key came with other content', () => {
    const result = answer(422, [], '{"type":"idempotency_error"}');
    expect(where(run({ keyed: true, result }))).toBe('held operator');
    expect(where(run({ keyed: true, result: answer(422) }))).toBe('dead rejected');
    expect(where(run({ keyed: false, result }))).toBe('dead rejected');
  });

  it('is retried after an answered 5xx while the server knows the key', () => {
    const given = { keyed: true, keyTtlMs: 1_000_000, hasCaller: true, result: answer(500) };
    expect(where(run(given))).toBe('scheduled retry');
    expect(where(run({ ...given, firstSentAt: NOW - 800_000 }))).toBe('dead rejected');
  });
});

describe('retryAnswered5xx', () => {
  const zone = { retryAnswered5xx: true };

  it('retries every effect, at least once', () => {
    const first = run({ result: answer(500), zone, hasCaller: true });
    expect(where(first)).toBe('scheduled retry');
    const second = run({ result: answer(503), zone, progress: first.progress });
    expect(where(second)).toBe('scheduled retry');
  });

  it('does not speak of calls that were not answered', () => {
    const first = run({ result: unanswered, zone });
    expect(where(run({ result: answer(500), zone, progress: first.progress }))).toBe('held unknown');
    expect(where(run({ result: answer(500), zone, progress: { unresolved: true } }))).toBe('held unknown');
  });
});

describe('classify', () => {
  it.each([
    ['success', 400, 'succeeded applied'],
    ['rejected', 503, 'dead rejected'],
    ['retry', 400, 'scheduled retry'],
    ['retry', 500, 'scheduled retry'],
    ['unknown', 200, 'held unknown'],
    [undefined, 503, 'scheduled retry'],
  ] as const)('%s of a %i: %s', (says, status, expected) => {
    expect(where(run({ result: answer(status), classify: () => says }))).toBe(expected);
  });

  it('that throws leaves the decision to the table, and is reported', () => {
    const error = new Error('x');
    const decision = run({
      result: answer(201),
      classify: () => {
        throw error;
      },
    });
    expect(where(decision)).toBe('succeeded applied');
    expect(decision.policyError).toBe(error);
  });
});

describe('the record of the attempt', () => {
  it('is appended, the last twenty are kept', () => {
    const attempts = Array.from({ length: 20 }, (_, n) => attempt({ n: n + 1 }));
    const { progress } = run({ effect: 'read', result: answer(500), token: 21, progress: { attempts } });
    expect(progress.attempts).toHaveLength(20);
    expect(progress.attempts[0]?.n).toBe(2);
    expect(progress.attempts.at(-1)).toEqual({
      n: 21,
      at: NOW,
      phase: 'answered',
      outcome: 'unknown',
      status: 500,
      error: null,
      origin: 'https://a',
    });
  });

  it('keeps the answers of writes and of durable reads once they matter, without cookies and large bodies', () => {
    const headers: HeaderList = [
      ['Set-Cookie', 'a=b'],
      ['etag', '"1"'],
    ];
    expect(run({ result: answer(201, headers, 'short') }).result).toEqual({
      status: 201,
      headers: [['etag', '"1"']],
      body: Buffer.from('short'),
    });
    expect(run({ result: answer(201, [], 'x'.repeat(17)) }).result?.body).toBeNull();
    expect(run({ effect: 'read', result: answer(200) }).result).toBeUndefined();
    expect(run({ effect: 'read', durable: true, result: answer(200) }).result?.status).toBe(200);
    expect(run({ result: answer(503) }).result).toBeUndefined();
    expect(run({ result: answer(409) }).result?.status).toBe(409);
  });

  it('says whether the zone was reached and served', () => {
    expect(run({ result: answer(404) })).toMatchObject({ connectivity: 'reachable', served: true });
    expect(run({ result: answer(500) })).toMatchObject({ connectivity: 'reachable', served: true });
    expect(run({ result: answer(503) })).toMatchObject({ connectivity: 'reachable', served: false });
    expect(run({ result: answer(511) })).toMatchObject({ connectivity: 'captive', served: false });
    expect(run({ result: unanswered })).toMatchObject({ served: false });
  });

  it('takes the status of a write for its outcome when the body was lost, and asks for that of a read again', () => {
    const lost = (code: string): TransportResult => ({
      phase: 'answered',
      response: { status: 200, headers: [], body: new Uint8Array() },
      bodyError: Object.assign(new Error(code), { code }),
    });
    const write = run({ result: lost('UND_ERR_SOCKET') });
    expect(where(write)).toBe('succeeded applied');
    expect(write.result?.body).toBeNull();
    expect(where(run({ effect: 'read', result: lost('UND_ERR_SOCKET') }))).toBe('scheduled retry');
    expect(where(run({ effect: 'read', result: lost('BODY_TOO_LARGE') }))).toBe('dead rejected');
  });
});

describe('whatever happens', () => {
  const result = fc.oneof(
    fc.integer({ min: 100, max: 620 }).map((status) => answer(status)),
    fc
      .constantFrom('sent', 'notSent')
      .chain((phase) =>
        fc
          .constantFrom(
            'ECONNRESET',
            'ECONNREFUSED',
            'ENOTFOUND',
            'CALL_TIMEOUT',
            'CALL_ABORTED',
            'ENETDOWN',
            'TRANSPORT_CLOSED',
          )
          .map((code) => failure(phase as 'sent' | 'notSent', code)),
      ),
  );
  const given = fc.record({
    effect: fc.constantFrom<Effect>('read', 'absolute', 'delete', 'create', 'action', 'relative'),
    result,
    hasCaller: fc.boolean(),
    keyed: fc.boolean(),
    keyTtlMs: fc.constantFrom(null, 1_000, 86_400_000),
    refreshed: fc.boolean(),
    firstSentAt: fc.constantFrom(NOW, NOW - 5 * MINUTE, NOW - 60 * MINUTE),
    progress: fc.record({
      unresolved: fc.boolean(),
      faults: fc.nat(8),
      failingSince: fc.constantFrom(null, NOW - 1_000, NOW - 48 * 60 * MINUTE),
      servedBefore: fc.constantFrom(null, 1),
    }),
    zone: fc.record({
      retryAnswered5xx: fc.boolean(),
      canRefresh: fc.boolean(),
      declaredAuth: fc.boolean(),
      hasProbe: fc.boolean(),
      served: fc.nat(3),
      everAnswered: fc.boolean(),
    }),
  });

  it('moves legally, tells callers of an end, and never ends a write in doubt but by proof', () => {
    fc.assert(
      fc.property(given, (input) => {
        const decision = run(input);
        const { state, dueAt } = decision.move;
        expect(canMove('sending', state)).toBe(true);
        expect(decision.final).toBe(['succeeded', 'dead', 'cancelled', 'held'].includes(state));
        expect(dueAt !== undefined).toBe(state === 'scheduled' || state === 'unknown');
        expect(decision.progress.attempts).toHaveLength(1);
        const isWrite = input.effect !== 'read';
        if (isWrite && input.progress.unresolved && state === 'dead') {
          // What ends it as refused must speak of every send of it.
          expect(decision.move.reason).toBe('rejected');
          expect(input.keyed || input.effect === 'absolute' || input.effect === 'delete').toBe(true);
        }
        if (!isWrite) expect(decision.progress.unresolved).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });

  it('resends without asking only what is harmless', () => {
    fc.assert(
      fc.property(given, (input) => {
        const decision = run(input);
        const isResent = decision.move.state === 'ready' || decision.move.state === 'scheduled';
        if (!isResent || !decision.progress.unresolved) return;
        const isDeclared =
          input.zone.retryAnswered5xx && input.result.phase === 'answered' && !input.progress.unresolved;
        expect(input.keyed || input.effect === 'absolute' || input.effect === 'delete' || isDeclared).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});
