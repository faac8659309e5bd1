import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/queue/types/request.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import type { ServerStep } from '../../src/testing/serverSteps.ts';
import { answer, applyThenReset, refuse, resetBeforeApply } from '../../src/testing/serverSteps.ts';
import { drain, enqueue, HOUR_MS, MINUTE_MS, testQueues, zone } from './support/queues.ts';

const start = testQueues();

/** Answers reads with `remote`, or 404 where that is undefined; anything else meets `write`. */
function shows(test: TestQueue, remote: () => Json | undefined, write: ServerStep): void {
  test.server.script.always((request) => {
    if (request.method !== 'GET') return write;
    const body = remote();
    return body === undefined ? refuse({ status: 404 }) : answer({ status: 200, body });
  });
}

function sent(test: TestQueue, method: string): number {
  return test.server.ledger.entries.filter(({ request }) => request.method === method).length;
}

describe('an unanswered POST', () => {
  it.each([
    ['a list without it', (): Json => []],
    ['nothing', (): undefined => undefined],
  ] as const)('is held, not sent again, where its path shows %s and the zone probes byResource', async (_, remote) => {
    const test = await start({ config: { zones: zone({ probe: 'byResource' }) } });
    shows(test, remote, applyThenReset);
    const { id } = await enqueue(test.queue, 'POST', '/notes', { text: 'hi' });
    await drain(test, 2 * HOUR_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
    expect(sent(test, 'POST')).toBe(1);
    expect(sent(test, 'GET')).toBe(0);
  });
});

describe('an unanswered PATCH', () => {
  it('that asks for a change is held where what it changed does not show what it sent', async () => {
    const test = await start();
    shows(test, () => ({ value: 6 }), applyThenReset);
    const { id } = await enqueue(test.queue, 'PATCH', '/counter', { increment: 1 });
    await drain(test, 2 * HOUR_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
    expect(sent(test, 'PATCH')).toBe(1);
  });

  it('is sent again where nothing is there', async () => {
    const test = await start();
    shows(test, () => undefined, applyThenReset);
    await enqueue(test.queue, 'PATCH', '/notes/1', { n: 1 });
    await test.clock.advance(5 * MINUTE_MS);
    expect(sent(test, 'PATCH')).toBeGreaterThan(1);
  });

  it('is sent again where its base is still there, and held where that is a base without fields', async () => {
    for (const { base, isResent } of [
      { base: { value: 5 }, isResent: true },
      { base: {}, isResent: false },
    ]) {
      const test = await start();
      shows(test, () => ({ value: 5, by: 'somebody' }), resetBeforeApply);
      await enqueue(test.queue, 'PATCH', '/counter', { value: 6 }, { base });
      await test.clock.advance(5 * MINUTE_MS);
      expect(sent(test, 'PATCH') > 1).toBe(isResent);
    }
  });
});

describe('a PUT in doubt after the resend window', () => {
  async function leftInDoubt(remote: () => Json | undefined, base?: { readonly n: number; readonly text?: string }) {
    const test = await start({ config: { maxAttempts: 100 } });
    shows(test, remote, applyThenReset);
    const { id } = await enqueue(test.queue, 'PUT', '/notes/1', { n: 1 }, { base });
    await test.clock.advance(8 * MINUTE_MS);
    test.network.online = false;
    await test.clock.advance(10 * MINUTE_MS);
    const writes = sent(test, 'PUT');
    test.network.online = true;
    return { test, id, writes };
  }

  it('does not undo what somebody else wrote meanwhile', async () => {
    const { test, id, writes } = await leftInDoubt(() => ({ n: 2 }));
    await drain(test, 2 * HOUR_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
    expect(sent(test, 'PUT')).toBe(writes);
  });

  it('is sent again where its base is still there', async () => {
    const { test, writes } = await leftInDoubt(() => ({ n: 0 }), { n: 0 });
    await test.clock.advance(5 * MINUTE_MS);
    expect(sent(test, 'PUT')).toBeGreaterThan(writes);
  });

  it('that only removes is sent again where nothing was removed, and not where it was', async () => {
    const base = { n: 1, text: 'old' };
    const kept = await leftInDoubt(() => base, base);
    await kept.test.clock.advance(5 * MINUTE_MS);
    expect(sent(kept.test, 'PUT')).toBeGreaterThan(kept.writes);
    const removed = await leftInDoubt(() => ({ n: 1 }), base);
    await drain(removed.test, 2 * HOUR_MS);
    expect(await removed.test.queue.get(removed.id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
    expect(sent(removed.test, 'PUT')).toBe(removed.writes);
  });
});
