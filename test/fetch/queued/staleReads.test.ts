import { describe, expect, it } from 'vitest';
import { soon } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';

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
});
