import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QuickSetup } from '../../src/QuickSetup.ts';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { park } from '../../src/testing/serverSteps.ts';
import type { Child } from '../processes/support/child.ts';
import { DIST, startChild } from '../processes/support/child.ts';

const APP = new URL('../processes/support/app.mjs', import.meta.url);

let folder: string;
let server: ScriptedServer;
const children: Child[] = [];
const queues: QueueManager[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-stopped-'));
  server = await ScriptedServer.start();
});

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await Promise.all(queues.splice(0).map((queue) => queue.close({ deadlineMs: 500 })));
  await server.close();
  rmSync(folder, { recursive: true });
});

function options(keyed: boolean) {
  const zone = { origins: [server.origin] };
  return {
    // Of two processes that take turns on a busy machine, the one that lives keeps its own.
    leaseMs: 3_000,
    retry: { baseDelayMs: 20, maxDelayMs: 200 },
    zones: { api: keyed ? { ...zone, idempotency: 'stripe' as const } : zone },
  };
}

async function openChild(keyed: boolean): Promise<Child> {
  const order = { dist: DIST, database: join(folder, 'queue.db'), options: options(keyed) };
  const child = startChild(APP, [JSON.stringify(order)]);
  children.push(child);
  await child.line('open');
  return child;
}

async function openHere(keyed: boolean): Promise<QueueManager> {
  const queue = await QuickSetup.sqlite(join(folder, 'queue.db'), options(keyed));
  queues.push(queue);
  return queue;
}

describe('a process that is stopped past its lease', () => {
  it('has its keyed request sent again by another, and its late answer changes nothing', async () => {
    server.script.next(park);
    const app = await openChild(true);
    app.tell({ do: 'call', name: 'a', method: 'POST', url: `${server.origin}/notes`, body: { n: 1 }, lane: 'one' });
    await server.ledger.until((ledger) => ledger.entries.length === 1);
    app.process.kill('SIGSTOP');
    const here = await openHere(true);
    const behind = await here.enqueue(
      { method: 'POST', url: `${server.origin}/notes`, body: { n: 2 } },
      { lane: 'one' },
    );
    await behind.result();
    expect(server.ledger.entries.map((entry) => entry.outcome)).toEqual(['applied', 'replayed', 'applied']);

    server.release();
    app.process.kill('SIGCONT');
    expect(await app.line('settled a')).toBe('settled a succeeded 201');
    app.tell({ do: 'call', name: 'b', method: 'POST', url: `${server.origin}/notes`, body: { n: 3 }, lane: 'one' });
    expect(await app.line('settled b')).toBe('settled b succeeded 201');
    expect(await here.counts()).toMatchObject({ succeeded: 3, held: 0, unknown: 0 });
    expect(server.ledger.applied()).toBe(3);
  });

  it('has its request without a key held, once, until it comes back with the answer', async () => {
    server.script.next(park);
    const app = await openChild(false);
    app.tell({ do: 'call', name: 'a', method: 'POST', url: `${server.origin}/notes`, body: { n: 1 } });
    await server.ledger.until((ledger) => ledger.entries.length === 1);
    app.process.kill('SIGSTOP');
    const here = await openHere(false);
    await here.idle();
    expect(await here.counts()).toMatchObject({ held: 1 });
    server.release();
    app.process.kill('SIGCONT');
    expect(await app.line('settled a')).toBe('settled a succeeded 201');
    app.tell({ do: 'call', name: 'b', method: 'PUT', url: `${server.origin}/notes/1`, body: { n: 2 } });
    expect(await app.line('settled b')).toBe('settled b succeeded 200');
    expect(await here.counts()).toMatchObject({ held: 0, unknown: 0, succeeded: 2 });
    expect((await here.find({ reason: 'appliedEarlier' })).requests).toMatchObject([{ result: { status: 201 } }]);
    expect(server.ledger.entries.length).toBe(2);
  });
});

describe('a process that is killed in the middle of a send', () => {
  it('leaves a POST without a key to a person, and resends a PUT before what waits behind it', async () => {
    server.script.next(park, park);
    const app = await openChild(false);
    app.tell({ do: 'call', name: 'post', method: 'POST', url: `${server.origin}/notes`, body: { n: 0 } });
    app.tell({ do: 'call', name: 'put', method: 'PUT', url: `${server.origin}/notes/1`, body: { n: 1 } });
    await server.ledger.until((ledger) => ledger.entries.length === 2);
    app.tell({ do: 'call', name: 'next', method: 'PUT', url: `${server.origin}/notes/1`, body: { n: 2 } });
    await app.line('accepted next');
    await app.kill();
    const here = await openHere(false);
    await here.idle();
    expect(await here.counts()).toMatchObject({ held: 1, succeeded: 2, unknown: 0, sending: 0 });
    const puts = server.ledger.entries.filter((entry) => entry.request.method === 'PUT');
    expect(puts.map((entry) => entry.request.body)).toEqual(['{"n":1}', '{"n":1}', '{"n":2}']);
    expect(server.ledger.entries.filter((entry) => entry.request.method === 'POST').length).toBe(1);
    const { requests } = await here.find({ state: 'held' });
    expect(requests).toMatchObject([{ reason: 'unknown', progress: { unresolved: true } }]);
  });
});
