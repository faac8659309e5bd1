import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { folder, onFile, realServer } from '../core/harness.ts';
import { BATCH_PATH, itemsOf, listProtocol } from './support/protocol.ts';
import { ZONE } from './support/world.ts';

async function served(): Promise<{ readonly queue: QueueManager; readonly origin: string; readonly calls: string[] }> {
  const calls: string[] = [];
  const server = await realServer({
    respond: ({ method, path, body }) => {
      calls.push(`${method} ${path}`);
      if (path !== BATCH_PATH) return { status: 200, body: { alone: path } };
      const answers = itemsOf(body).map(({ id, method: of, path: to }) =>
        to === '/moved'
          ? { id, status: 302, headers: [['location', '/there']] }
          : { id, status: of === 'POST' ? 201 : 200, headers: [['x-part', to]], body: { path: to } },
      );
      return { status: 200, body: JSON.stringify(answers) };
    },
  });
  const zones = { [ZONE]: { origins: [server.origin], batch: listProtocol() } };
  const queue = await onFile(`${await folder()}/queue.db`, { batchingEnabled: true, batchTimeoutMs: 200, zones });
  return { queue, origin: server.origin, calls };
}

describe('calls of fetch that share a call', () => {
  it('get responses of their own, as the platform makes them', async () => {
    const { queue, origin, calls } = await served();
    const post = { method: 'POST', body: JSON.stringify({ n: 1 }), headers: { 'content-type': 'application/json' } };
    const responses = await Promise.all([
      queue.fetch(`${origin}/a`),
      queue.fetch(`${origin}/b`, post),
      queue.fetch(`${origin}/c`, { ...post, method: 'PUT' }),
    ]);
    expect(calls).toEqual([`POST ${BATCH_PATH}`]);
    expect(responses.map(({ status, url, headers }) => [status, url, headers.get('x-part')])).toEqual([
      [200, `${origin}/a`, '/a'],
      [201, `${origin}/b`, '/b'],
      [200, `${origin}/c`, '/c'],
    ]);
    expect(await Promise.all(responses.map((response) => response.json()))).toEqual([
      { path: '/a' },
      { path: '/b' },
      { path: '/c' },
    ]);
  });

  it('have redirects followed, each by itself', async () => {
    const { queue, origin, calls } = await served();
    const [moved, other] = await Promise.all([queue.fetch(`${origin}/moved`), queue.fetch(`${origin}/other`)]);
    expect(await other.json()).toEqual({ path: '/other' });
    expect(await moved.json()).toEqual({ alone: '/moved' });
    expect(calls).toEqual([`POST ${BATCH_PATH}`, 'GET /moved']);
  });

  it('go alone where they ask for something of their own', async () => {
    const { queue, origin, calls } = await served();
    await Promise.all([
      queue.fetch(`${origin}/manual`, { redirect: 'manual' }),
      queue.fetch(`${origin}/a`),
      queue.fetch(`${origin}/b`),
    ]);
    expect(calls.toSorted()).toEqual(['GET /manual', `POST ${BATCH_PATH}`]);
  });
});
