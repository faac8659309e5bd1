import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { park } from '../../src/testing/serverSteps.ts';
import { arrivals, at, errorOf, folder, headerIn, onFile, realServer, world } from './harness.ts';

describe('two queues on one file', () => {
  it('share a request by key, and each caller gets the answer', async () => {
    const server = await realServer();
    server.script.next(park);
    const path = `${await folder()}/q.db`;
    const [one, two] = [await onFile(path), await onFile(path)];
    const request = { method: 'POST', url: `${server.origin}/a`, body: 'x' };
    const first = one.call(request, { key: 'k' });
    const settled = [first.settled()];
    await first.accepted();
    const second = two.call(request, { key: 'k' });
    settled.push(second.settled());
    expect(await second.accepted()).toMatchObject({ id: (await first.accepted()).id, deduplicated: true });
    await server.ledger.until(({ entries }) => entries.length === 1);
    server.release();
    expect((await Promise.all(settled)).map(({ response }) => response?.status)).toEqual([201, 201]);
    expect(server.ledger.applied()).toBe(1);
  });

  it('cancel a shared request with the last of its callers', async () => {
    const path = `${await folder()}/q.db`;
    const [one, two] = [await onFile(path, { dispatch: false }), await onFile(path, { dispatch: false })];
    const request = { method: 'PUT', url: 'http://127.0.0.1:9/a', body: 'x' };
    const first = await one.enqueue(request);
    const second = await two.enqueue(request);
    expect(second.id).toBe(first.id);
    expect(await second.cancel()).toBe(false);
    expect(await one.get(first.id)).toMatchObject({ state: 'ready', callers: 1 });
    expect(await first.cancel()).toBe(true);
    expect(await two.get(first.id)).toMatchObject({ state: 'cancelled' });
  });

  it('tell the caller of one what the other cancelled or decided', async () => {
    const path = `${await folder()}/q.db`;
    const [one, two] = [await onFile(path, { dispatch: false }), await onFile(path, { dispatch: false })];
    const handle = one.call({ method: 'POST', url: 'http://127.0.0.1:9/a', body: 'x' });
    const settled = handle.settled();
    const { id } = await handle.accepted();
    expect(await two.handle(id).cancel()).toBe(true);
    expect((await settled).error).toMatchObject({ code: 'REQUEST_CANCELLED' });
  });

  it('keep the tokens of their callers apart', async () => {
    const server = await realServer();
    const path = `${await folder()}/q.db`;
    const queues = [await onFile(path), await onFile(path)];
    const calls = Array.from({ length: 40 }, (_, n) => {
      const token = `Bearer user-${n % 4}`;
      const request = { method: 'POST', url: `${server.origin}/a`, body: token, headers: { authorization: token } };
      return queues[n % 2]?.call(request, n % 8 < 4 ? { lane: 'l' } : {}).settled();
    });
    for (const settled of await Promise.all(calls)) expect(settled).toMatchObject({ state: 'succeeded' });
    for (const { request } of server.ledger.entries) expect(headerIn(request, 'authorization')).toBe(request.body);
  });
});

describe('a queue on a file', () => {
  it('leaves open after PUT open, PUT closed, PUT open, also over a restart', async () => {
    const server = await realServer();
    const path = `${await folder()}/q.db`;
    const put = (body: string) => ({ method: 'PUT', url: `${server.origin}/door`, body });
    const first = await onFile(path, { dispatch: false });
    await first.enqueue(put('open'));
    await first.enqueue(put('closed'));
    await first.close();
    const second = await onFile(path, { dispatch: false });
    await second.enqueue(put('open'));
    expect((await second.enqueue(put('open'))).deduplicated).toBe(true);
    await second.close();
    await (await onFile(path)).idle();
    expect(arrivals(server)).toEqual(['PUT /door open', 'PUT /door closed', 'PUT /door open']);
  });

  it('answers the GET after a PUT from after the PUT, and joins equal reads only', async () => {
    const state = { door: 'closed' };
    const server = await realServer({
      respond: (request) => {
        if (request.method === 'PUT') state.door = request.body;
        return { status: 200, body: state.door };
      },
    });
    const queue = await onFile(`${await folder()}/q.db`);
    const url = `${server.origin}/door`;
    server.script.next(park, park);
    const get = (accept: string) => queue.call({ method: 'GET', url, headers: { accept } }).settled();
    const before = [get('text/plain'), get('text/plain'), get('text/html')];
    await server.ledger.until(({ entries }) => entries.length === 2);
    await queue.call({ method: 'PUT', url, body: 'open' }).settled();
    const after = await get('text/plain');
    server.release();
    expect((await Promise.all(before)).map(({ response }) => String(Buffer.from(response?.body ?? [])))).toEqual([
      'closed',
      'closed',
      'closed',
    ]);
    expect(String(Buffer.from(after.response?.body ?? []))).toBe('open');
    expect(server.ledger.entries).toHaveLength(4);
  });

  it('refuses the same key with other content over a restart', async () => {
    const path = `${await folder()}/q.db`;
    const post = (body: string) => ({ method: 'POST', url: 'http://127.0.0.1:9/a', body });
    const first = await onFile(path, { dispatch: false });
    const { id } = await first.enqueue(post('x'), { key: 'k' });
    await first.close();
    const second = await onFile(path, { dispatch: false });
    expect((await second.enqueue(post('x'), { key: 'k' })).id).toBe(id);
    expect((await errorOf(second.enqueue(post('y'), { key: 'k' }))).code).toBe('KEY_CONFLICT');
  });

  it('expires and holds what follows, and tells their callers', async () => {
    const queue = await onFile(`${await folder()}/q.db`);
    queue.pause();
    const url = 'http://127.0.0.1:9/a';
    const settled = queue.call({ method: 'POST', url, body: 'x' }, { deadline: 1 }).settled();
    expect((await settled).error).toMatchObject({ code: 'REQUEST_EXPIRED' });
  });
});

describe('a signal that many calls share', () => {
  it('keeps no listener of calls that ended', async () => {
    const test = await world();
    const shared = new AbortController();
    for (let n = 0; n < 20; n += 1) {
      const request = { method: n % 2 === 0 ? 'POST' : 'GET', url: at('/a') };
      await test.queue.call(request, { signal: shared.signal }).settled();
    }
    await test.queue.call({ method: 'POST', url: at('/a') }, { signal: shared.signal, key: 'k' }).settled();
    await test.queue.call({ method: 'POST', url: at('/a') }, { signal: shared.signal, key: 'k' }).settled();
    const bad = test.queue.call({ method: 'POST', url: 'nowhere' }, { signal: shared.signal });
    await errorOf(bad.settled());
    await test.clock.settle();
    expect(getEventListeners(shared.signal, 'abort')).toHaveLength(0);
  });
});
