import { describe, expect, it } from 'vitest';
import { notFound } from '../../../src/testing/FakeServer.ts';
import { applyThenHang, hang, park } from '../../../src/testing/serverSteps.ts';
import { at, world } from '../../core/harness.ts';
import { arrivals, failure, soon, stored, until } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';
import { streaming } from './support/streaming.ts';

const POST = { method: 'POST', body: 'a' } as const;

describe.each(STORES)('what a fetch is rejected with, on %s:', (store) => {
  it('the queue is full', async () => {
    const server = await serve();
    const queue = await open(store, { maxSize: 1 });
    queue.pause();
    await queue.fetch(server.origin, { ...POST, queue: { respond: 'accepted' } });
    const { name, message, error, ours } = await failure(queue.fetch(server.origin, { ...POST, body: 'b' }));
    expect([name, message, ours?.code]).toEqual(['TypeError', 'fetch failed', 'QUEUE_FULL']);
    expect(error.cause).toBe(ours);
  });

  it('its key came with other content before', async () => {
    const server = await serve();
    const queue = await open(store);
    const headers = { 'idempotency-key': 'k' };
    await queue.fetch(server.origin, { ...POST, headers });
    const { ours } = await failure(queue.fetch(server.origin, { ...POST, headers, body: 'b' }));
    expect(ours?.code).toBe('KEY_CONFLICT');
    expect(server.ledger.entries.length).toBe(1);
  });

  it('its deadline passed while it waited', async () => {
    const server = await serve();
    const queue = await open(store);
    queue.pause();
    const call = queue.fetch(server.origin, { ...POST, queue: { deadline: Date.now() + 100 } });
    expect((await failure(call)).ours?.code).toBe('REQUEST_EXPIRED');
  });

  it('there was no answer in the time of the call', async () => {
    const server = await serve();
    server.script.always(hang);
    const queue = await open(store, { maxAttempts: 2 });
    const read = await failure(queue.fetch(server.origin, { queue: { attemptTimeoutMs: 400 } }));
    expect(read.error.cause).toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT', message: 'Headers Timeout Error' });
    expect(read.ours?.code).toBe('ATTEMPTS_EXHAUSTED');
    expect(arrivals(server)).toEqual(['GET /', 'GET /']);

    server.script.always(applyThenHang);
    const write = await failure(queue.fetch(server.origin, { ...POST, queue: { attemptTimeoutMs: 400 } }));
    expect(write.error.cause.code).toBe('UND_ERR_HEADERS_TIMEOUT');
    expect(write.ours?.code).toBe('OUTCOME_UNKNOWN');
    expect(server.ledger.applied()).toBe(1);
  });

  it('somebody cancelled it', async () => {
    const server = await serve();
    const queue = await open(store);
    queue.pause();
    const call = failure(queue.fetch(server.origin, POST));
    await until(async () => (await stored(queue)) === 1, 'it is stored');
    const [request] = (await queue.find({})).requests;
    expect((await queue.fetch(`https://queue.invalid/requests/${request?.id}`, { method: 'DELETE' })).status).toBe(200);
    expect((await call).ours?.code).toBe('REQUEST_CANCELLED');
  });
});

it('a name that nobody knows rejects a read with the error of the platform, where others answer', async () => {
  const test = await world();
  await test.queue.fetch(at('/'));
  const other = test.network.serve('https://nowhere.test');
  other.script.always(notFound);
  const call = failure(test.queue.fetch('https://nowhere.test/'));
  let isDone = false;
  const done = call.then(() => {
    isDone = true;
  });
  expect(await test.clock.advanceUntil(() => isDone, 60_000)).toBe(true);
  await done;
  expect((await call).error.cause.code).toBe('ENOTFOUND');
});

describe.each(STORES)('calls that are equal, on %s', (store) => {
  it('are two where they are told not to join', async () => {
    const server = await serve();
    const queue = await open(store);
    const init = { queue: { dedupe: false } };
    await Promise.all([queue.fetch(server.origin, init), queue.fetch(server.origin, init)]);
    expect(server.ledger.entries.length).toBe(2);
  });

  it('are two where they are POSTs, and one where they have one key', async () => {
    const server = await serve();
    const queue = await open(store);
    await Promise.all([queue.fetch(server.origin, POST), queue.fetch(server.origin, POST)]);
    expect(server.ledger.entries.length).toBe(2);
    const keyed = { ...POST, queue: { key: 'k' } };
    const responses = await Promise.all([queue.fetch(server.origin, keyed), queue.fetch(server.origin, keyed)]);
    expect(server.ledger.entries.length).toBe(3);
    for (const response of responses) expect(await response.json()).toMatchObject({ n: 3 });
  });

  it('are both answered where they have one key, however slowly the answer comes', async () => {
    const { origin, answers } = await streaming('a');
    const queue = await open(store);
    const keyed = { ...POST, queue: { key: 'k' } };
    const both = [queue.fetch(origin, keyed), queue.fetch(origin, keyed)].map(async (call) => (await call).text());
    const all = Promise.all(both);
    all.catch(() => undefined);
    await until(() => answers.length === 1, 'it arrives');
    await new Promise((resolve) => AbortSignal.timeout(1_500).addEventListener('abort', resolve, { once: true }));
    answers[0]?.end('b');
    expect(await soon(all, 'both answers')).toEqual(['ab', 'ab']);
    expect(await (await queue.fetch(origin, keyed)).text()).toBe('ab');
    expect(answers.length).toBe(1);
  });

  it('are one where they are PUTs that wait', async () => {
    const server = await serve();
    const queue = await open(store);
    queue.pause();
    const put = { method: 'PUT', body: 'a' };
    const calls = [put, put, { ...put, body: 'b' }, put].map((init) => queue.fetch(`${server.origin}/notes/7`, init));
    await until(async () => (await stored(queue)) === 3, 'three are stored');
    queue.resume();
    const numbers = await Promise.all(calls.map(async (call) => ((await (await call).json()) as { n: number }).n));
    expect(numbers).toEqual([1, 1, 2, 3]);
    expect(arrivals(server)).toEqual(['PUT /notes/7 a', 'PUT /notes/7 b', 'PUT /notes/7 a']);
  });

  it('are in order within a lane, and by priority beside it', async () => {
    const server = await serve();
    const queue = await open(store, { zones: { api: { origins: [server.origin], maxConcurrency: 1 } } });
    queue.pause();
    const init = (body: string, lane: string | null, priority = 5) => ({ ...POST, body, queue: { lane, priority } });
    const calls = [init('a1', 'a'), init('a2', 'a', 9), init('b1', null, 7), init('c1', null, 3)].map((one) =>
      queue.fetch(server.origin, one),
    );
    await until(async () => (await stored(queue)) === 4, 'all are stored');
    queue.resume();
    await Promise.all(calls);
    const bodies = server.ledger.entries.map(({ request }) => request.body);
    expect(bodies.indexOf('a1')).toBeLessThan(bodies.indexOf('a2'));
    expect(bodies.indexOf('b1')).toBeLessThan(bodies.indexOf('c1'));
  });

  it('are not shared by a write in between', async () => {
    const server = await serve();
    server.script.always((request) => (request.method === 'GET' ? park : undefined));
    const queue = await open(store);
    const before = queue.fetch(`${server.origin}/notes/7`);
    await until(() => server.parked === 1, 'the first read arrives');
    expect((await queue.fetch(`${server.origin}/notes/7`, { method: 'PUT', body: 'a' })).status).toBe(200);
    const after = queue.fetch(`${server.origin}/notes/7`);
    await until(() => server.parked === 2, 'the second read arrives');
    server.release();
    expect(await (await before).json()).toMatchObject({ n: 1 });
    expect(await (await soon(after, 'the second read')).json()).toMatchObject({ n: 3 });
  });
});
