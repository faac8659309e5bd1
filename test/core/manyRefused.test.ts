import { describe, expect, it } from 'vitest';
import { at, errorOf, record, world } from './harness.ts';

const MANY = 50_000;

describe('a batch that cannot be accepted', () => {
  it('is refused in one go, however many calls it has and however many of them are wrong', async () => {
    const logged: string[] = [];
    const log = (text: string): void => void logged.push(text);
    const test = await world({ logger: { debug: log, info: log, warn: log, error: log } });
    const items = Array.from({ length: MANY }, () => ({ request: { method: 'POST', url: 'no url', body: 'x' } }));
    expect((await errorOf(test.queue.enqueueMany(items))).code).toBe('REQUEST_INVALID');
    expect(logged.filter((text) => text === 'a call was not accepted')).toHaveLength(MANY);
    expect(await test.queue.counts()).toMatchObject({ ready: 0, succeeded: 0 });
  });

  it('is refused in one go where its calls are admitted later', async () => {
    const test = await world({ maxBytes: 10 });
    const body = new Blob(['far more than ten bytes']);
    const items = Array.from({ length: 5_000 }, () => ({ request: { method: 'POST', url: at('/a'), body } }));
    expect((await errorOf(test.queue.enqueueMany(items))).code).toBe('REQUEST_INVALID');
    await test.clock.settle();
    expect((await test.queue.find({})).requests).toEqual([]);
  });

  it('keeps back nothing of what was called before and after it', async () => {
    const test = await world();
    const settled = record(test.queue, 'request:settled');
    const good = (body: string) => test.queue.enqueue({ method: 'POST', url: at('/a'), body });
    const bad = { request: { method: 'POST', url: 'no url', body: 'x' } };
    const fine = { request: { method: 'POST', url: at('/a'), body: 'never' } };
    const before = good('1');
    const batch = errorOf(test.queue.enqueueMany([fine, bad, fine, bad]));
    const after = good('2');
    expect((await batch).code).toBe('REQUEST_INVALID');
    await Promise.all([before, after]);
    await test.clock.settle();
    expect(settled).toHaveLength(2);
    expect(test.server.ledger.entries.map(({ request }) => request.body)).toEqual(['1', '2']);
  });
});
