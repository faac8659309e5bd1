import { describe, expect, it } from 'vitest';
import type { GateOutcome } from '../../../src/queue/strategies/limits/outcomeClass.ts';
import { dropKind, gateOutcome, retryKind } from '../../../src/queue/strategies/limits/outcomeClass.ts';
import type { TransportResult } from '../../../src/queue/types/transport.ts';

function failure(code: string | undefined, name = 'Error') {
  const error = new Error(code ?? name);
  error.name = name;
  return code === undefined ? error : Object.assign(error, { code });
}

function answered(status: number, body = '', more: { readonly bodyError?: Error } = {}): TransportResult {
  const response = { status, headers: [], body: new TextEncoder().encode(body) };
  return { phase: 'answered', response, ...more };
}

const notSent = (code?: string): TransportResult => ({ phase: 'notSent', error: failure(code) });
const sent = (code?: string, name?: string): TransportResult => ({ phase: 'sent', error: failure(code, name) });

const AUTOTASK = '{"errors":["The Autotask API thread threshold of 3 threads has been exceeded."]}';

describe('what an answer shows the gates', () => {
  it.each<readonly [GateOutcome, readonly number[]]>([
    ['success', [200, 201, 204, 301, 304, 400, 401, 403, 404, 408, 409, 412, 422, 423, 425, 428, 501, 505]],
    ['endpointFault', [500, 506, 507, 508, 599]],
    ['zoneFault', [502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530]],
    ['throttled', [429]],
    ['neutral', [407, 511]],
  ])('is %s for %j', (outcome, statuses) => {
    for (const status of statuses) expect([status, gateOutcome(answered(status))]).toEqual([status, outcome]);
  });

  it.each([
    AUTOTASK,
    '{"errors":[{"message":"rejected","code":"Itgenatr005"}]}',
    'Thread limit reached',
    '{"code":"API_THREAD_LIMIT"}',
    'The number of threads has been exceeded',
    'You are over the limit of 5 concurrent threads',
  ])('is a limit where the body says: %s', (body) => {
    for (const status of [429, 500, 503]) expect(gateOutcome(answered(status, body))).toBe('throttled');
    expect(gateOutcome(answered(200, body))).toBe('success');
    expect(gateOutcome(answered(400, body))).toBe('success');
    expect(gateOutcome(answered(502, body))).toBe('zoneFault');
  });

  it.each([
    'Exception in thread "main" java.lang.OutOfMemoryError: GC overhead limit exceeded',
    'Thread 12 exceeded its time',
    '{"errors":["Size limit exceeded"],"thread":"http-7"}',
    'Memory limit reached by thread 3',
    '{"errors":["Value does not reference an existing entity for taskType . "]}',
  ])('is a fault where the body says: %s', (body) => {
    expect(gateOutcome(answered(500, body))).toBe('endpointFault');
    expect(gateOutcome(answered(503, body))).toBe('zoneFault');
  });

  it('is not looked for far into a body, and found in one that is a part of a larger buffer', () => {
    expect(gateOutcome(answered(500, `${' '.repeat(5_000)}${AUTOTASK}`))).toBe('endpointFault');
    const whole = new TextEncoder().encode(`${'.'.repeat(500)}${AUTOTASK}`);
    const body = whole.subarray(500);
    expect(gateOutcome({ phase: 'answered', response: { status: 500, headers: [], body } })).toBe('throttled');
    const other = whole.subarray(0, 500);
    expect(gateOutcome({ phase: 'answered', response: { status: 500, headers: [], body: other } })).toBe(
      'endpointFault',
    );
  });

  it.each<readonly [string, GateOutcome]>([
    ['UND_ERR_SOCKET', 'zoneFault'],
    ['UND_ERR_BODY_TIMEOUT', 'zoneFault'],
    ['CALL_TIMEOUT', 'zoneFault'],
    ['BODY_TOO_LARGE', 'success'],
    ['BODY_UNDECODABLE', 'success'],
    ['CALL_ABORTED', 'neutral'],
  ])('with a body that was lost by %s is %s', (code, outcome) => {
    expect(gateOutcome(answered(200, '', { bodyError: failure(code) }))).toBe(outcome);
    expect(gateOutcome(answered(500, '', { bodyError: failure(code) }))).toBe('endpointFault');
  });

  it('is a success where another origin failed, or where all that failed was to look how it went', () => {
    expect(gateOutcome({ ...answered(503), isForeign: true })).toBe('success');
    expect(gateOutcome({ ...notSent('ECONNREFUSED'), isForeign: true })).toBe('success');
    expect(gateOutcome({ ...sent('CALL_ABORTED'), isForeign: true })).toBe('neutral');
    expect(gateOutcome({ ...answered(500), isDone: true } as TransportResult)).toBe('success');
  });
});

describe('what a call without an answer shows the gates', () => {
  it.each<readonly [GateOutcome, readonly string[]]>([
    ['offline', ['ENETUNREACH', 'ENETDOWN']],
    ['neutral', ['CALL_ABORTED', 'TRANSPORT_CLOSED', 'ABORT_ERR', 'UND_ERR_DESTROYED', 'ERR_INVALID_URL']],
    [
      'zoneFault',
      [
        'ECONNREFUSED',
        'ECONNRESET',
        'ENOTFOUND',
        'EAI_AGAIN',
        'EHOSTUNREACH',
        'EPIPE',
        'ETIMEDOUT',
        'CALL_TIMEOUT',
        'UND_ERR_SOCKET',
        'UND_ERR_CONNECT_TIMEOUT',
        'UND_ERR_HEADERS_TIMEOUT',
        'CERT_HAS_EXPIRED',
        'ERR_SSL_WRONG_VERSION_NUMBER',
        'HPE_INVALID_CONSTANT',
      ],
    ],
  ])('is %s for %j', (outcome, codes) => {
    for (const code of codes) {
      expect([code, gateOutcome(notSent(code))]).toEqual([code, outcome]);
      expect([code, gateOutcome(sent(code))]).toEqual([code, outcome]);
    }
  });

  it('is told by the name of the error where it has no code', () => {
    expect(gateOutcome(sent(undefined, 'AbortError'))).toBe('neutral');
    expect(gateOutcome(sent(undefined))).toBe('zoneFault');
  });
});

describe('whoever knows the API', () => {
  it('says whose fault a failure is', () => {
    expect(gateOutcome(answered(500), { scope: 'zone' })).toBe('zoneFault');
    expect(gateOutcome(answered(503), { scope: 'endpoint' })).toBe('endpointFault');
    expect(gateOutcome(answered(500), { scope: 'none' })).toBe('success');
    expect(gateOutcome(sent('CALL_TIMEOUT'), { scope: 'endpoint' })).toBe('endpointFault');
    expect(gateOutcome(sent('CALL_TIMEOUT'), { scope: 'none' })).toBe('neutral');
    expect(gateOutcome(answered(500), { scope: undefined })).toBe('endpointFault');
    expect(gateOutcome(answered(200), { scope: 'endpoint' })).toBe('endpointFault');
  });

  it('cannot make a breaker open by a limit, by a machine without network, or by a call that was called off', () => {
    for (const scope of ['endpoint', 'zone'] as const) {
      expect(gateOutcome(answered(429), { scope })).toBe('throttled');
      expect(gateOutcome(notSent('ENETDOWN'), { scope })).toBe('offline');
      expect(gateOutcome(sent('CALL_ABORTED'), { scope })).toBe('neutral');
    }
  });
});

describe('what a failure means for the limits', () => {
  it.each([
    ['a 429', answered(429), 'throttled', 'transient'],
    ['a thread limit', answered(500, AUTOTASK), 'throttled', 'transient'],
    ['a 500', answered(500), 'unavailable', 'transient'],
    ['a 503', answered(503), 'unavailable', 'transient'],
    ['a 504', answered(504), 'unavailable', 'transient'],
    ['a body that was lost', answered(200, '', { bodyError: failure('ECONNRESET') }), 'unavailable', 'transient'],
    ['a body that took too long', answered(200, '', { bodyError: failure('CALL_TIMEOUT') }), 'timeout', 'timeout'],
    ['a timeout', sent('CALL_TIMEOUT'), 'timeout', 'timeout'],
    ['no headers in time', sent('UND_ERR_HEADERS_TIMEOUT'), 'timeout', 'timeout'],
    ['a reset', sent('ECONNRESET'), 'unavailable', 'transient'],
    ['a refused connection', notSent('ECONNREFUSED'), 'refused', undefined],
    ['a connection that took too long', notSent('UND_ERR_CONNECT_TIMEOUT'), 'timeout', undefined],
    ['an unknown name', notSent('ENOTFOUND'), undefined, undefined],
    ['a name server that fails', notSent('EAI_AGAIN'), undefined, undefined],
    ['a certificate', notSent('CERT_HAS_EXPIRED'), undefined, undefined],
    ['no network', notSent('ENETUNREACH'), undefined, undefined],
    ['a call that was called off', sent('CALL_ABORTED'), undefined, undefined],
    ['a success', answered(200), undefined, 'transient'],
    ['a 408', answered(408), undefined, 'transient'],
    ['a page of a proxy', answered(407), undefined, undefined],
  ] as const)('%s', (_, result, drop, retry) => {
    const outcome = gateOutcome(result);
    expect(dropKind(result, outcome)).toBe(drop);
    expect(retryKind(result, outcome, false)).toBe(retry);
  });

  it('is cheap to retry where the server named a time', () => {
    expect(retryKind(answered(429), 'throttled', true)).toBe('throttled');
    expect(retryKind(answered(503), 'zoneFault', true)).toBe('transient');
  });
});
