import { describe, expect, it } from 'vitest';
import { DIALECTS, ignoresKeys, keyHeaders, keysMethod, speaksOfReplay } from '../../src/queue/strategies/dialects.ts';

const { ietf, stripe, oasis } = DIALECTS;
const AT = Date.UTC(2015, 9, 21, 7, 28, 0, 999);

describe('an idempotency dialect', () => {
  it.each([
    ['ietf', 'k"\\1', [['idempotency-key', '"k\\"\\\\1"']]],
    ['stripe', 'k"1', [['idempotency-key', 'k"1']]],
    ['stripe-v2', 'k1', [['idempotency-key', 'k1']]],
    [
      'oasis',
      'k1',
      [
        ['repeatability-request-id', 'k1'],
        ['repeatability-first-sent', 'Wed, 21 Oct 2015 07:28:00 GMT'],
      ],
    ],
  ] as const)('%s puts the key %s on the wire as %j', (name, key, headers) => {
    expect(keyHeaders(DIALECTS[name], key, AT)).toEqual(headers);
  });

  it.each([
    ['ietf', 'PATCH', true],
    ['stripe', 'POST', true],
    ['stripe', 'DELETE', false],
    ['stripe-v2', 'DELETE', true],
    ['stripe-v2', 'PUT', false],
    ['oasis', 'PUT', true],
  ] as const)('%s keys a %s: %s', (name, method, isKeyed) => {
    expect(keysMethod(DIALECTS[name], method)).toBe(isKeyed);
  });

  it('tells the answer to an earlier send by its marker', () => {
    expect(speaksOfReplay(stripe, [['Idempotent-Replayed', 'true']])).toBe(true);
    expect(speaksOfReplay(stripe, [['idempotent-replayed', 'false']])).toBe(false);
    expect(speaksOfReplay(stripe, [])).toBe(false);
    expect(speaksOfReplay(ietf, [['idempotent-replayed', 'true']])).toBe(false);
    expect(speaksOfReplay(oasis, [['repeatability-result', 'accepted']])).toBe(false);
    const ppro = { ...ietf, replayHeader: 'request-idempotency' };
    expect(speaksOfReplay(ppro, [['request-idempotency', 'True']])).toBe(true);
  });

  it('tells an endpoint that does not look at keys', () => {
    expect(ignoresKeys(ietf, [['Idempotency-Status', ' Ignored']])).toBe(true);
    expect(ignoresKeys(ietf, [['idempotency-status', 'processed']])).toBe(false);
    expect(ignoresKeys(stripe, [['idempotency-status', 'ignored']])).toBe(false);
  });

  it('cannot be changed', () => {
    for (const dialect of Object.values(DIALECTS)) expect(Object.isFrozen(dialect)).toBe(true);
  });
});
