import { describe, expect, it } from 'vitest';
import { park } from '../../../src/testing/serverSteps.ts';
import { failure, rejection, soon, stored, until } from './support/looks.ts';
import { open, STORES, serve, serveLater } from './support/queues.ts';
import { streaming } from './support/streaming.ts';

const CHUNK = Buffer.alloc(16_384, 'x');

describe.each(STORES)('answers that stream, on %s', (store) => {
  it('hold no permit of their zone, read or not', async () => {
    const { origin, answers } = await streaming(CHUNK);
    const queue = await open(store, { zones: { api: { origins: [origin], maxConcurrency: 2 } } });
    const responses: Response[] = [];
    for (let n = 0; n < 8; n += 1) responses.push(await soon(queue.fetch(`${origin}/${n}`), `answer ${n}`));
    expect(answers.length).toBe(8);
    const { zones } = await queue.health();
    expect(zones.map(({ inFlight }) => inFlight)).toEqual([0]);
    for (const response of responses) await response.body?.cancel();
  });

  it('close their connection when they are cancelled', async () => {
    const { origin, sockets } = await streaming(CHUNK);
    const queue = await open(store);
    const response = await queue.fetch(origin);
    expect(sockets.size).toBe(1);
    await response.body?.cancel();
    await until(() => sockets.size === 0, 'the connection is closed');
  });

  it('close it when their caller aborts, and fail with its reason', async () => {
    const { origin, sockets } = await streaming(CHUNK);
    const queue = await open(store);
    const abort = new AbortController();
    const response = await queue.fetch(origin, { signal: abort.signal });
    const reading = response.text();
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await rejection(reading)).toBe(reason);
    await until(() => sockets.size === 0, 'the connection is closed');
  });

  it('go on when the queue closes', async () => {
    const { origin, answers } = await streaming(CHUNK);
    const queue = await open(store);
    const response = await queue.fetch(origin);
    const reader = response.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    await soon(queue.close(), 'the end of the queue');
    answers[0]?.end('the rest');
    let text = '';
    for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
      text += Buffer.from(next.value).toString();
    }
    expect(text.endsWith('the rest')).toBe(true);
  });

  it('of a write are given once as much has come as is kept', async () => {
    const { origin, answers } = await streaming(CHUNK);
    const queue = await open(store, { maxStoredResultBytes: 8_192 });
    const response = await soon(queue.fetch(origin, { method: 'POST', body: 'a' }), 'the answer');
    answers[0]?.end('the rest');
    expect((await response.text()).length).toBe(CHUNK.length + 8);
    expect((await queue.counts()).succeeded).toBe(1);
  });

  it('are cut off with an error when the server breaks them off', async () => {
    const { origin, answers } = await streaming(CHUNK);
    const queue = await open(store);
    const response = await queue.fetch(origin);
    answers[0]?.destroy();
    const error = await rejection(response.text());
    expect(error).toMatchObject({ name: 'TypeError', message: 'terminated' });
  });
});

describe.each(STORES)('a queue that closes, on %s', (store) => {
  it('rejects fetches that wait, and tells which are kept', async () => {
    const server = await serveLater();
    const queue = await open(store);
    const write = failure(queue.fetch(`${server.origin}/notes`, { method: 'POST', body: 'a' }));
    const read = failure(queue.fetch(`${server.origin}/notes`));
    const pool = { method: 'PUT', body: 'a', queue: { offline: 'reject' } } as const;
    await until(async () => (await stored(queue)) >= 2, 'they are stored');
    await until(async () => (await queue.counts()).sending === 0, 'none is under way');
    await queue.close();
    for (const { message, error, ours } of [await write, await read]) {
      expect([message, ours?.code]).toEqual(['fetch failed', 'QUEUE_CLOSED']);
      expect(error.cause).toBe(ours);
    }
    expect((await write).ours?.details).toMatchObject({ accepted: true, id: expect.any(String) });
    expect((await read).ours?.details).toMatchObject({ accepted: false });
    const after = await failure(queue.fetch(`${server.origin}/notes`, pool));
    expect(after.ours?.code).toBe('QUEUE_CLOSED');
  });

  it('rejects fetches that are under way, after its deadline', async () => {
    const server = await serve();
    server.script.always(park);
    const queue = await open(store, { closeTimeoutMs: 50 });
    const write = failure(queue.fetch(`${server.origin}/notes`, { method: 'POST', body: 'a' }));
    const read = failure(queue.fetch(`${server.origin}/notes`));
    await until(() => server.parked === 2, 'both arrive');
    await soon(queue.close(), 'the end of the queue');
    expect((await write).message).toBe('fetch failed');
    expect((await read).message).toBe('fetch failed');
    expect(['OUTCOME_UNKNOWN', 'QUEUE_CLOSED']).toContain((await write).ours?.code);
  });

  it('gives fetches their answer that comes before its deadline', async () => {
    const server = await serve();
    server.script.next(park);
    const queue = await open(store, { closeTimeoutMs: 5_000 });
    const write = queue.fetch(`${server.origin}/notes`, { method: 'POST', body: 'a' });
    await until(() => server.parked === 1, 'it arrives');
    const closed = queue.close();
    server.release();
    expect((await soon(write, 'the answer')).status).toBe(201);
    await closed;
  });

  it('refuses what was never started or is over', async () => {
    const queue = await open(store);
    await queue.close();
    for (const input of ['http://127.0.0.1:1024/', new URL('http://127.0.0.1:1024/'), 'data:,']) {
      expect((await failure(queue.fetch(input))).ours?.code).toBe('QUEUE_CLOSED');
    }
    expect((await failure(queue.with({ priority: 1 }).fetch('http://127.0.0.1:1024/'))).ours?.code).toBe(
      'QUEUE_CLOSED',
    );
  });
});

describe.each(STORES)('a caller that leaves, on %s', (store) => {
  it('between the end and the answer leaves nothing behind', async () => {
    const { origin, answers, sockets } = await streaming(CHUNK);
    const queue = await open(store, { maxStoredResultBytes: 8_192 });
    for (let n = 0; n < 20; n += 1) {
      const abort = new AbortController();
      // Whatever comes first: neither may leave a connection that nobody reads.
      const off = queue.on('request:settled', () => abort.abort(new Error('left')));
      const call = queue.fetch(`${origin}/${n}`, { method: 'POST', body: 'a', signal: abort.signal });
      const outcome = await soon(
        call.then(
          (response) =>
            response.text().then(
              () => 'read',
              () => 'broken off',
            ),
          () => 'rejected',
        ),
        `call ${n}`,
      );
      expect(['rejected', 'broken off']).toContain(outcome);
      off();
    }
    expect(answers.length).toBe(20);
    await until(() => sockets.size === 0, 'every connection is closed');
    expect((await queue.health()).waitingCallers).toBe(0);
  });

  it('before the answer of a large write leaves no connection open', async () => {
    const { origin, answers, sockets } = await streaming(CHUNK);
    const queue = await open(store);
    const abort = new AbortController();
    const call = queue.fetch(origin, { method: 'POST', body: 'a', signal: abort.signal });
    await until(() => answers.length === 1, 'it arrives');
    const left = rejection(call);
    abort.abort();
    await left;
    answers[0]?.end();
    await until(async () => (await queue.counts()).succeeded === 1, 'it ends');
    expect(sockets.size).toBeLessThanOrEqual(1);
    const { zones } = await queue.health();
    expect(zones.every(({ inFlight }) => inFlight === 0)).toBe(true);
  });

  it('on a signal that times out has its reason', async () => {
    const server = await serve();
    server.script.always(park);
    const queue = await open(store);
    const signal = AbortSignal.timeout(50);
    expect(await rejection(queue.fetch(server.origin, { signal }))).toBe(signal.reason);
    const options = { signal: AbortSignal.timeout(50), method: 'POST', body: 'b' };
    expect(await rejection(queue.fetch(server.origin, options))).toMatchObject({ name: 'TimeoutError' });
  });
});
