import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { migrateQueue } from '../../src/queue/core/migration/migrateQueue.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { ids } from '../../src/testing/conformance/Trial.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import type { PlainRedis } from '../redis/support/describeRedis.ts';
import { describePlainRedis, plainRedis } from '../redis/support/describeRedis.ts';
import { dieAndGoOn } from './support/dying.ts';
import type { Kind } from './support/migration.ts';
import { allOf, fillAllStates, pairs, recordsOf } from './support/migration.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-to-redis-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** How users outgrow one machine: by configuration, from a file to a server and back. */
describePlainRedis('a move to Redis', () => {
  let redis: PlainRedis;
  let server: ScriptedServer;
  beforeAll(async () => {
    [redis, server] = await Promise.all([plainRedis(), ScriptedServer.start()]);
  });
  afterAll(async () => {
    await Promise.all([redis.dispose(), server.close()]);
  });

  const pair = pairs(() => ({ url: redis.url, keyPrefix: redis.keyPrefix }));

  it.each<[Kind, Kind]>([
    ['sqlite', 'redis'],
    ['redis', 'sqlite'],
    ['redis', 'redis'],
  ])('from %s to %s keeps all that is known of each request', async (fromKind, toKind) => {
    const { from, to, move } = await pair(fromKind, toKind);
    const moved = await fillAllStates(from);
    const before = await recordsOf(from, moved);
    expect(await move({ limit: 3 })).toEqual({ moved: 10, schedules: 0, refusedCount: 0, refused: [] });
    expect(await recordsOf(to, moved)).toEqual(before);
    expect(ids(await allOf(to))).toEqual(moved);
    expect(await from.counts()).toEqual({ superseded: 10 });
  });

  it.each<[Kind, Kind]>([
    ['memory', 'redis'],
    ['redis', 'memory'],
  ])('from %s to %s that dies before one of its verbs is made good by the next one', async (fromKind, toKind) => {
    for (let n = 1; await dieAndGoOn(await pair(fromKind, toKind), n); n += 4);
  });

  it('by configuration, and back, and there again, leaves it to a queue there, in its order', async () => {
    const file = { backend: { kind: 'sqlite', path: join(folder, 'a.db') } } as const;
    const there = {
      name: `moved-${randomUUID()}`,
      backend: { kind: 'redis', url: redis.url, keyPrefix: redis.keyPrefix },
    } as const;
    const zones = { api: { origins: [server.origin] } };
    const from = new QueueManager({ config: { ...file, zones, dispatch: false } });
    await from.start();
    const total = 120;
    await from.enqueueMany(
      Array.from({ length: total }, (_, n) => ({
        request: { method: 'POST', url: `${server.origin}/notes`, body: { n } },
        options: { lane: `l${n % 7}` },
      })),
    );
    await from.close();

    expect(await migrateQueue(file, there)).toEqual({ moved: total, schedules: 0, refusedCount: 0, refused: [] });
    expect(await migrateQueue(there, file)).toEqual({ moved: total, schedules: 0, refusedCount: 0, refused: [] });
    expect(await migrateQueue(file, there, { limit: 17 })).toEqual({
      moved: total,
      schedules: 0,
      refusedCount: 0,
      refused: [],
    });

    const to = new QueueManager({ config: { ...there, zones } });
    await to.start();
    try {
      await to.idle();
      expect(await to.counts()).toMatchObject({ succeeded: total, ready: 0, blocked: 0 });
    } finally {
      await to.close();
    }
    const sent = server.ledger.entries.map(({ request }) => (JSON.parse(request.body) as { n: number }).n);
    expect(sent.length).toBe(total);
    for (let lane = 0; lane < 7; lane += 1) {
      expect(sent.filter((n) => n % 7 === lane)).toEqual([...sent.filter((n) => n % 7 === lane)].sort((a, b) => a - b));
    }
  });
});
