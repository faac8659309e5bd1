import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { answer, park, refuse } from '../../../src/testing/serverSteps.ts';
import { arrivals, final, idOf, stored, until } from './support/looks.ts';
import { folder, open, openFile, STORES, serve } from './support/queues.ts';

const ACCEPTED = { respond: 'accepted' } as const;

describe.each(STORES)('a fetch that takes a 202, on %s', (store) => {
  it('gets the address where its answer will be', async () => {
    const server = await serve();
    const queue = await open(store);
    queue.pause();
    const response = await queue.fetch(`${server.origin}/notes`, { method: 'POST', body: 'a', queue: ACCEPTED });

    expect(response.status).toBe(202);
    expect(response.headers.get('location')).toMatch(/^https:\/\/queue\.invalid\/requests\/[0-9a-f-]{36}$/);
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('idempotency-key')).toBeNull();
    expect(response.headers.get('preference-applied')).toBeNull();
    expect(response.url).toBe(`${server.origin}/notes`);
    const id = idOf(response);
    expect(await response.json()).toMatchObject({ id, links: { self: response.headers.get('location') } });
    expect(await queue.get(id)).toMatchObject({ state: 'ready' });
  });

  it('has its key echoed, from the options and from the header', async () => {
    const server = await serve();
    const queue = await open(store);
    const byOption = await queue.fetch(`${server.origin}/a`, { method: 'POST', queue: { ...ACCEPTED, key: 'k1' } });
    expect(byOption.headers.get('idempotency-key')).toBe('k1');

    const headers = { 'idempotency-key': 'k2' };
    const byHeader = await queue.fetch(`${server.origin}/a`, { method: 'POST', headers, queue: ACCEPTED });
    expect(byHeader.headers.get('idempotency-key')).toBe('k2');
  });

  it('finds status, headers and body of the answer at that address', async () => {
    const server = await serve();
    server.script.next(
      answer({
        status: 201,
        headers: [
          ['x-made', 'yes'],
          ['etag', '"7"'],
        ],
        body: { made: 7 },
      }),
    );
    const queue = await open(store);
    queue.pause();
    const accepted = await queue.fetch(`${server.origin}/notes`, { method: 'POST', body: 'a', queue: ACCEPTED });
    const address = accepted.headers.get('location') ?? '';

    const pending = await queue.fetch(address);
    expect(pending.status).toBe(202);
    expect(pending.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await pending.json()).toMatchObject({ id: idOf(accepted), status: 'NotStarted' });

    queue.resume();
    const done = await final(queue, address);
    expect(done.status).toBe(201);
    expect(done.headers.get('x-made')).toBe('yes');
    expect(done.headers.get('etag')).toBe('"7"');
    expect(await done.json()).toEqual({ made: 7 });
    const head = await queue.fetch(address, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([201, '']);
  });

  it('finds a refusal there, and the answer of a read', async () => {
    const server = await serve();
    server.script.next(refuse({ status: 422, body: { error: 'no' } }));
    const queue = await open(store);
    const refused = await queue.fetch(`${server.origin}/notes`, { method: 'POST', body: 'a', queue: ACCEPTED });
    const no = await final(queue, refused.headers.get('location') ?? '');
    expect([no.status, await no.json()]).toEqual([422, { error: 'no' }]);

    const read = await queue.fetch(`${server.origin}/notes`, { queue: ACCEPTED });
    expect(read.status).toBe(202);
    const answered = await final(queue, read.headers.get('location') ?? '');
    expect([answered.status, await answered.json()]).toEqual([200, { n: 2, method: 'GET', path: '/notes' }]);
  });

  it('finds redirects that were not followed, and answers without a body', async () => {
    const server = await serve();
    server.script.next(refuse({ status: 307, headers: [['location', '/there']] }), answer({ status: 204 }));
    const queue = await open(store);
    const manual = { method: 'POST', redirect: 'manual', body: 'a', queue: ACCEPTED } as const;
    const redirected = await queue.fetch(`${server.origin}/a`, manual);
    const seen = await final(queue, redirected.headers.get('location') ?? '');
    expect([seen.status, seen.headers.get('location')]).toEqual([307, '/there']);

    const empty = await queue.fetch(`${server.origin}/b`, { method: 'POST', queue: ACCEPTED });
    const none = await final(queue, empty.headers.get('location') ?? '');
    expect([none.status, none.body]).toEqual([204, null]);
  });

  it('cancels by DELETE what was not sent, and only that', async () => {
    const server = await serve();
    const queue = await open(store);
    queue.pause();
    const waiting = await queue.fetch(`${server.origin}/notes`, { method: 'POST', body: 'a', queue: ACCEPTED });
    const address = waiting.headers.get('location') ?? '';
    expect((await queue.fetch(address, { method: 'DELETE' })).status).toBe(200);
    expect((await queue.fetch(address)).status).toBe(410);
    expect((await queue.fetch(address, { method: 'DELETE' })).status).toBe(409);
    queue.resume();

    server.script.next(park);
    const sent = await queue.fetch(`${server.origin}/notes`, { method: 'POST', body: 'b', queue: ACCEPTED });
    await until(() => server.parked === 1, 'the second one arrives');
    const late = await queue.fetch(sent.headers.get('location') ?? '', { method: 'DELETE' });
    expect(late.status).toBe(409);
    expect(late.headers.get('content-type')).toBe('application/problem+json');
    server.release();
    expect((await final(queue, sent.headers.get('location') ?? '')).status).toBe(201);
    expect(arrivals(server)).toEqual(['POST /notes b']);
  });

  it('is not touched by an abort after the 202', async () => {
    const server = await serve();
    const queue = await open(store);
    queue.pause();
    const abort = new AbortController();
    const init = { method: 'POST', body: 'a', signal: abort.signal, queue: ACCEPTED };
    const accepted = await queue.fetch(`${server.origin}/notes`, init);
    abort.abort(new Error('too late'));
    expect((await accepted.json()) as object).toMatchObject({ id: idOf(accepted) });
    queue.resume();
    expect((await final(queue, accepted.headers.get('location') ?? '')).status).toBe(201);
  });

  it('is called off by an abort before it', async () => {
    const server = await serve();
    const queue = await open(store);
    queue.pause();
    const abort = new AbortController();
    const init = { method: 'POST', body: 'a', signal: abort.signal, queue: ACCEPTED };
    const call = queue.fetch(`${server.origin}/notes`, init);
    const reason = new Error('no');
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(await stored(queue)).toBe(0);
  });
});

describe('the status address', () => {
  it('knows nothing of other ids and paths, and takes no other methods', async () => {
    const queue = await open('memory');
    const statusOf = async (path: string, method = 'GET'): Promise<number> =>
      (await queue.fetch(`https://queue.invalid${path}`, { method })).status;

    expect(await statusOf('/requests/0198c000-0000-7000-8000-000000000000')).toBe(404);
    expect(await statusOf('/requests/nothing', 'DELETE')).toBe(404);
    expect(await statusOf('/')).toBe(404);
    expect(await statusOf('/requests/')).toBe(404);
    expect(await statusOf('/requests/a/b')).toBe(404);
    expect(await statusOf('/requests/a', 'PUT')).toBe(405);
    expect(await stored(queue)).toBe(0);
  });

  it('answers an id that cannot be decoded', async () => {
    const queue = await open('memory');
    expect((await queue.fetch('https://queue.invalid/requests/%E0%A4%A')).status).toBe(404);
  });

  it('answers from the next run of the queue', async () => {
    const server = await serve();
    const path = join(await folder(), 'queue.db');
    const first = await openFile(path);
    const done = await first.fetch(`${server.origin}/notes`, { method: 'POST', body: 'a', queue: ACCEPTED });
    await final(first, done.headers.get('location') ?? '');
    first.pause();
    const waiting = await first.fetch(`${server.origin}/notes`, { method: 'POST', body: 'b', queue: ACCEPTED });
    await first.close();

    const second = await openFile(path);
    const answered = await second.fetch(done.headers.get('location') ?? '');
    expect([answered.status, await answered.json()]).toEqual([201, { n: 1, method: 'POST', path: '/notes' }]);
    const later = await final(second, waiting.headers.get('location') ?? '');
    expect([later.status, await later.json()]).toEqual([201, { n: 2, method: 'POST', path: '/notes' }]);
  });
});

describe.each(STORES)('who asks the queue for what a fetch left behind, on %s', (store) => {
  it('is given a whole answer, however large', async () => {
    const body = 'x'.repeat(200_000);
    const server = await serve({ respond: () => ({ status: 200, body }) });
    server.script.always(park);
    const queue = await open(store);
    const accepted = await queue.fetch(`${server.origin}/large`, { method: 'POST', body: 'a', queue: ACCEPTED });
    const settled = queue.callHandle(idOf(accepted)).settled();
    await until(() => server.parked === 1, 'it arrives');
    server.release();
    const { response } = await settled;
    expect(response?.body.byteLength).toBe(body.length);
  });

  it('is given a whole answer to what asked for a stream', async () => {
    const server = await serve({ respond: () => ({ status: 200, body: { done: true } }) });
    server.script.always(park);
    const queue = await open(store);
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify({ stream: true }), queue: ACCEPTED };
    const accepted = await queue.fetch(`${server.origin}/stream`, init);
    const settled = queue.callHandle(idOf(accepted)).settled();
    await until(() => server.parked === 1, 'it arrives');
    server.release();
    const { response } = await settled;
    expect(Buffer.from(response?.body ?? []).toString()).toBe('{"done":true}');
  });
});
