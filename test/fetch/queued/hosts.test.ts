import { describe, expect, it } from 'vitest';
import { arrivals, failure, soon } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';

const SECRET = { authorization: 'Bearer opaque-31' };

describe.each(STORES)('a path that looks like another host, on %s,', (store) => {
  const scene = async () => {
    const [good, evil, queue] = [await serve(), await serve(), await open(store)];
    const path = `//${new URL(evil.origin).host}/x?y=//${new URL(evil.origin).host}`;
    return { good, evil, queue, path };
  };

  it('leads to its own over queue.dispatcher', async () => {
    const { good, evil, queue, path } = await scene();
    for (const init of [{}, { method: 'POST', body: 'a' }]) {
      const given = { ...init, headers: SECRET, dispatcher: queue.dispatcher } as object;
      const response = await soon(fetch(good.origin + path, given), 'the answer');
      expect(response.url).toBe(good.origin + path);
    }
    expect(arrivals(good)).toEqual([`GET ${path}`, `POST ${path} a`]);
    expect(arrivals(evil)).toEqual([]);
  });

  it('leads to its own by queue.fetch, and past the queue', async () => {
    const { good, evil, queue, path } = await scene();
    await soon(queue.fetch(good.origin + path, { headers: SECRET }), 'the answer');
    await soon(queue.fetch(good.origin + path, { headers: SECRET, queue: { mode: 'bypass' } }), 'the answer');
    const past = { headers: { ...SECRET, accept: 'text/event-stream' }, dispatcher: queue.dispatcher } as object;
    await soon(fetch(good.origin + path, past), 'the answer');
    expect(arrivals(good)).toEqual([`GET ${path}`, `GET ${path}`, `GET ${path}`]);
    expect(arrivals(evil)).toEqual([]);
  });

  it('leads to its own after a redirect', async () => {
    const { good, evil, queue, path } = await scene();
    good.script.next({
      kind: 'answer',
      apply: true,
      answer: { status: 302, headers: [['location', good.origin + path]] },
    });
    const given = { headers: SECRET, dispatcher: queue.dispatcher } as object;
    await soon(fetch(good.origin, given), 'the answer');
    expect(arrivals(good)).toEqual(['GET /', `GET ${path}`]);
    expect(arrivals(evil)).toEqual([]);
  });
});

it('a path that would lengthen the host is refused', async () => {
  const evil = await serve();
  const queue = await open('memory');
  const hop = { origin: 'http://127.0.0.1', path: `:${new URL(evil.origin).port}/x`, method: 'GET' };
  const call = new Promise((resolve, reject) => {
    const handler = { onRequestStart: () => undefined, onResponseError: (_: unknown, error: Error) => reject(error) };
    try {
      queue.dispatcher.dispatch(hop as never, { ...handler, onResponseStart: resolve } as never);
    } catch (error) {
      reject(new TypeError('fetch failed', { cause: error }));
    }
  });
  expect((await failure(call)).error.cause.message).toContain('must begin with /');
  expect(arrivals(evil)).toEqual([]);
});
