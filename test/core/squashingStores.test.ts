import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import type { BackendOption } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { PlainRedis } from '../redis/support/describeRedis.ts';
import { describePlainRedis, plainRedis } from '../redis/support/describeRedis.ts';
import { RestApi } from '../support/RestApi.ts';
import { arrivals, folder, realServer, record } from './harness.ts';

/** A queue on a real store, at rest, and a real API with one ticket. */
async function start(backend: BackendOption) {
  const api = new RestApi();
  const server = await realServer({ respond: api.respond });
  const name = `squash-${randomUUID()}`;
  const open = async () => {
    const queue = new QueueManager({ config: { name, backend, zones: { api: { origins: [server.origin] } } } });
    onTestFinished(() => queue.close());
    await queue.start();
    queue.pause();
    const client = new ApiClient({ queue, baseUrl: server.origin });
    const resource = client.resource('ticket', { path: '/tickets', version: 'etag', squash: true });
    return { queue, client, resource };
  };
  api.edit('/tickets/7', { title: 'a' });
  return { api, server, open };
}

/** All that can become one, over a restart; what arrives is what memory sends. */
async function play(backend: BackendOption): Promise<void> {
  const { api, server, open } = await start(backend);
  const before = await open();
  const settled = record(before.queue, 'request:settled');
  const one = await before.resource.update(7, { title: 'b' }, { priority: 'high' }).accepted();
  const two = await before.resource.update(7, { note: 'm' }).accepted();
  expect(await before.queue.get(one.id)).toMatchObject({
    state: 'superseded',
    reason: 'squashed',
    replayedAs: two.id,
  });
  expect(await before.queue.get(two.id)).toMatchObject({ priority: 8, callers: 2 });
  const gone = before.queue.localId('ticket');
  const made = before.resource.create({ title: 'x' }, { localId: gone });
  await made.accepted();
  const removed = before.resource.delete(gone);
  expect(await Promise.all([made.settled(), removed.settled()])).toMatchObject([
    { state: 'succeeded', reason: 'noop' },
    { state: 'succeeded', reason: 'noop' },
  ]);
  expect(settled.map(({ state, reason }) => `${state} ${reason}`)).toEqual([
    'superseded squashed',
    'superseded squashed',
    'succeeded noop',
  ]);
  const local = before.queue.localId('ticket');
  await before.resource.create({ title: 'new' }, { localId: local }).accepted();
  for (let n = 0; n < 12; n += 1) await before.resource.update(local, { n }).accepted();
  await before.client.post('/notes', { ticketId: local }).accepted();
  await before.queue.close();

  const after = await open();
  const late = await after.resource.update(7, { title: 'c' }).accepted();
  after.queue.resume();
  await after.queue.idle();
  expect(arrivals(server).sort()).toEqual([
    'PATCH /tickets/7 {"title":"c","note":"m"}',
    'POST /notes {"ticketId":501}',
    'POST /tickets {"title":"new","n":11}',
  ]);
  expect(api.at('/tickets/7')).toEqual({ id: 7, title: 'c', note: 'm' });
  for (const { id } of [one, two, late]) {
    expect(await after.queue.handle(id).settled()).toMatchObject({ id: late.id, state: 'succeeded' });
  }
  expect(await after.queue.counts()).toMatchObject({ superseded: 15, succeeded: 4, held: 0, dead: 0 });
}

describe('changes that become one', () => {
  it('do so in memory', async () => {
    const { api, server, open } = await start({ kind: 'memory' });
    const { queue, resource } = await open();
    for (let n = 0; n < 5; n += 1) await resource.update(7, { n }).accepted();
    queue.resume();
    await queue.idle();
    expect(arrivals(server)).toEqual(['PATCH /tickets/7 {"n":4}']);
    expect(api.at('/tickets/7')).toMatchObject({ n: 4 });
  });

  it('do so in SQLite, over a restart', async () => {
    await play({ kind: 'sqlite', path: join(await folder(), 'queue.db') });
  });

  it('tell the caller of one process what another process made of its change', async () => {
    const { server, open } = await start({ kind: 'sqlite', path: join(await folder(), 'queue.db') });
    const [a, b] = [await open(), await open()];
    const waiting = a.resource.update(7, { title: 'b' });
    await waiting.accepted();
    const end = waiting.settled();
    const { id } = await b.resource.update(7, { note: 'm' }).accepted();
    b.queue.resume();
    expect(await end).toMatchObject({ id, state: 'succeeded', response: { status: 200 } });
    expect(arrivals(server)).toEqual(['PATCH /tickets/7 {"title":"b","note":"m"}']);
  });
});

describePlainRedis('changes that become one in Redis', () => {
  let redis: PlainRedis;
  beforeAll(async () => {
    redis = await plainRedis();
  });
  afterAll(() => redis.dispose());

  it('do so as in memory, over a restart', async () => {
    await play({ kind: 'redis', url: redis.url, keyPrefix: redis.keyPrefix });
  });
});
