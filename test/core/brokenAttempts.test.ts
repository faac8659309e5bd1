import { describe, expect, it, onTestFinished } from 'vitest';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { call, enqueue, expectNoPermitsHeld, HOUR_MS, MINUTE_MS, testQueues, zone } from './support/queues.ts';

const start = testQueues();

describe('a classify that says nothing known', () => {
  it.each([
    ['a promise', async () => 'success'],
    ['a promise that fails', () => Promise.reject(new Error('of the application'))],
    ['true', () => true],
    ['a word of its own', () => 'ok'],
  ])('leaves the decision to the status: %s', async (_, classify) => {
    const errors: unknown[] = [];
    const silent = () => undefined;
    const error = (_message: string, fields: object | undefined) => void errors.push(fields);
    const logger = { debug: silent, info: silent, warn: silent, error };
    const test = await start({ config: { logger, zones: zone({ classify }) } });
    test.server.script.next(refuse({ status: 422 }));
    const rejected = await enqueue(test.queue, 'POST', '/notes');
    await test.clock.settle();
    const applied = await enqueue(test.queue, 'POST', '/notes');
    const read = call(test.queue, 'GET', '/notes');
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(rejected.id)).toMatchObject({ state: 'dead', reason: 'rejected' });
    expect(await test.queue.get(applied.id)).toMatchObject({ state: 'succeeded' });
    expect(read.told()).toMatchObject({ state: 'succeeded' });
    expect(test.server.ledger.entries).toHaveLength(3);
    expect(errors).toHaveLength(3);
    expect(errors[0]).toMatchObject({ error: expect.stringContaining('classify returned') });
    await expectNoPermitsHeld(test.queue);
  });
});

/** A queue whose transport rejects, which none may: a bug of whoever wrote it. */
async function withBrokenTransport(error: Error) {
  const clock = new FakeClock();
  let sent = 0;
  const transport = {
    send: () => {
      sent += 1;
      return Promise.reject(error);
    },
    close: () => Promise.resolve(),
  };
  const queue = new QueueManager({ clock, transport });
  onTestFinished(() => queue.close({ deadlineMs: 0 }));
  await queue.start();
  return { clock, queue, sent: () => sent };
}

describe('a transport that rejects', () => {
  it.each([
    ['an error of its own', new Error('broken')],
    ['an abort nobody asked for', Object.assign(new Error('aborted'), { name: 'AbortError' })],
  ])('is tried again after a pause, and given up in the end: %s', async (_, error) => {
    const { clock, queue, sent } = await withBrokenTransport(error);
    const read = call(queue, 'GET', '/notes');
    const put = await enqueue(queue, 'PUT', '/notes/1', { n: 1 });
    await clock.settle();
    expect(sent()).toBe(2);
    await clock.advance(HOUR_MS);
    expect(read.told()).toMatchObject({ state: 'dead', reason: 'exhausted', error: { code: 'ATTEMPTS_EXHAUSTED' } });
    const record = await queue.get(put.id);
    expect(record).toMatchObject({ state: 'held', reason: 'unknown', progress: { unresolved: true } });
    expect(record?.progress.attempts[0]).toMatchObject({ phase: 'sent', outcome: 'unknown', error: 'ATTEMPT_BROKEN' });
    expect(sent()).toBeLessThanOrEqual(16);
    await expectNoPermitsHeld(queue);
  });

  it('leaves a keyless POST to a person at once', async () => {
    const { clock, queue, sent } = await withBrokenTransport(new Error('broken'));
    const { id } = await enqueue(queue, 'POST', '/notes');
    await clock.advance(HOUR_MS);
    expect(await queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
    expect(sent()).toBe(1);
  });
});
