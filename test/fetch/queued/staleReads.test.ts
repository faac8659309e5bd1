import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { QueueManager } from '../../../src/index.ts';
import { soon } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';
import { streaming } from './support/streaming.ts';

const STALE = { maxAgeMs: 60_000 };

/** The text of what a paused zone is read as; undefined where there is no answer of before. */
async function stale(queue: QueueManager, url: string): Promise<string | undefined> {
  queue.pause('api');
  const abort = new AbortController();
  const accepted = new Promise<undefined>((resolve) => queue.on('request:accepted', () => resolve(undefined)));
  const answered = queue.fetch(url, { signal: abort.signal });
  // What is stored waits for its zone.
  const response = await Promise.race([answered, accepted]);
  const text = await response?.text();
  abort.abort();
  answered.catch(() => undefined);
  queue.resume('api');
  return text;
}

/** A queue whose zone is a server that answers bit by bit, and the response to a read of which the first bit has come. */
async function begun(beginning = 'first, ', staleReads: { maxAgeMs: number; maxBytes?: number } = STALE) {
  const server = await streaming(beginning);
  const queue = await open('memory', { zones: { api: { origins: [server.origin], staleReads } } });
  const url = `${server.origin}/notes`;
  const response = await queue.fetch(url);
  const [answer] = server.answers;
  if (answer === undefined) throw new Error('nothing came to the server');
  return { server, queue, url, response, answer };
}

describe.each(STORES)('a fetch whose zone takes no call, on %s', (store) => {
  it('is answered with an answer of before that was read whole, as several had shared it', async () => {
    const server = await serve();
    const zones = { api: { origins: [server.origin], staleReads: { maxAgeMs: 60_000 } } };
    const queue = await open(store, { zones });
    const url = `${server.origin}/notes`;
    const shared = await Promise.all([queue.fetch(url), queue.fetch(url)]);
    const [text, same] = await Promise.all(shared.map((response) => response.text()));
    expect([text, server.ledger.entries.length]).toEqual([same, 1]);
    queue.pause('api');
    const stale = await soon(queue.fetch(url), 'an answer of before');
    expect([stale.status, stale.url, await stale.text()]).toEqual([200, url, text]);
    expect(stale.headers.get('x-holdfast-degraded')).toBe('true');
    expect(Number(stale.headers.get('age'))).toBeLessThan(10);
    expect(server.ledger.entries.length).toBe(1);
  });

  it('is answered with an answer of before that one caller alone had read', async () => {
    const server = await serve();
    const queue = await open(store, { zones: { api: { origins: [server.origin], staleReads: STALE } } });
    const url = `${server.origin}/notes`;
    const text = await (await queue.fetch(url)).text();
    queue.pause('api');
    const again = await soon(queue.fetch(url), 'an answer of before');
    expect([again.status, again.url, await again.text()]).toEqual([200, url, text]);
    expect(again.headers.get('x-holdfast-degraded')).toBe('true');
    expect(server.ledger.entries.length).toBe(1);
  });
});

describe('an answer that is read by its only caller', () => {
  it('is kept once that has come to its end, and not before', async () => {
    const { queue, url, response, answer } = await begun();
    const reader = response.body?.getReader();
    await reader?.read();
    expect(await stale(queue, url)).toBeUndefined();
    answer.end('last');
    for (let isDone = false; !isDone; ) isDone = (await reader?.read())?.done !== false;
    expect(await stale(queue, url)).toBe('first, last');
  });

  it('is kept decoded', async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' });
      response.flushHeaders();
      response.end(gzipSync('{"packed":true}'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const queue = await open('memory', { zones: { api: { origins: [origin], staleReads: STALE } } });
    expect(await (await queue.fetch(`${origin}/notes`)).json()).toEqual({ packed: true });
    expect(await stale(queue, `${origin}/notes`)).toBe('{"packed":true}');
  });

  it('is not kept where its caller went away, or the connection broke', async () => {
    const left = await begun();
    await left.response.body?.cancel();
    expect(await stale(left.queue, left.url)).toBeUndefined();
    const broken = await begun();
    broken.answer.destroy();
    await expect(broken.response.text()).rejects.toThrow();
    expect(await stale(broken.queue, broken.url)).toBeUndefined();
  });

  it('is not kept where a write to what it shows was accepted meanwhile', async () => {
    const { queue, url, response, answer } = await begun();
    await queue.enqueue({ method: 'PUT', url, body: {} });
    answer.end('last');
    expect(await response.text()).toBe('first, last');
    expect(await stale(queue, url)).toBeUndefined();
  });

  it('is not kept where it is more than the zone keeps, and reaches its caller all the same', async () => {
    const { queue, url, response, answer } = await begun('x'.repeat(3_000), { maxAgeMs: 60_000, maxBytes: 4_000 });
    answer.end('y'.repeat(3_000));
    expect((await response.text()).length).toBe(6_000);
    expect(await stale(queue, url)).toBeUndefined();
  });

  it('does not take the place of a newer one that was read sooner', async () => {
    const { server, queue, url, response, answer } = await begun('old ');
    const newer = await queue.fetch(url);
    server.answers[1]?.end('new');
    expect(await newer.text()).toBe('old new');
    answer.end('end');
    await response.text();
    expect(await stale(queue, url)).toBe('old new');
  });
});
