import { describe, expect, it } from 'vitest';
import type { ResendInput } from '../../src/queue/strategies/resend.ts';
import { mayResend } from '../../src/queue/strategies/resend.ts';
import type { Effect, HeaderList } from '../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../src/queue/types/request.ts';

const WINDOW = 600_000;

function may(
  at: number,
  given: Partial<Omit<ResendInput, 'request'>> & {
    readonly effect: Effect;
    readonly headers?: HeaderList;
    readonly since?: number;
    readonly firstSentAt?: number | null;
  },
): boolean {
  const { effect, headers = [], since, firstSentAt = 0, ...rest } = given;
  const progress = { ...NO_PROGRESS, unresolved: true, ...(since === undefined ? {} : { unresolvedSince: since }) };
  const request = { content: { method: 'POST', path: '/', headers, body: null }, effect, progress, firstSentAt };
  return mayResend({ request, keyed: false, keyTtlMs: null, resendWindowMs: WINDOW, ...rest }, at);
}

describe('mayResend', () => {
  it('is true of a read and of a conditional write at any time', () => {
    expect(may(1e12, { effect: 'read' })).toBe(true);
    expect(may(1e12, { effect: 'action', headers: [['if-match', '"1"']] })).toBe(true);
  });

  it.each(['absolute', 'delete'] as const)('is true of %s within the window', (effect) => {
    expect(may(WINDOW - 1, { effect })).toBe(true);
    expect(may(WINDOW, { effect })).toBe(false);
    expect(may(WINDOW + 6, { effect, since: 7 })).toBe(true);
    expect(may(WINDOW + 7, { effect, since: 7 })).toBe(false);
  });

  it.each(['create', 'action', 'relative'] as const)('is never true of a keyless %s', (effect) => {
    expect(may(0, { effect })).toBe(false);
  });

  it('is true of a keyed write for 0.8 of the lifetime of its key, counted from the first send', () => {
    const keyed = { effect: 'create', keyed: true, keyTtlMs: 1_000, since: 999_999 } as const;
    expect(may(799, keyed)).toBe(true);
    expect(may(800, keyed)).toBe(false);
  });

  it('counts on a key of unknown lifetime no longer than on the window', () => {
    expect(may(WINDOW - 1, { effect: 'create', keyed: true })).toBe(true);
    expect(may(WINDOW, { effect: 'create', keyed: true })).toBe(false);
  });

  it('is true of a request that was never sent', () => {
    expect(may(5, { effect: 'absolute', firstSentAt: null })).toBe(true);
  });
});
