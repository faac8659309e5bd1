import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { SQLiteBackend } from '../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { ZoneOptions } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { ClaimQuery } from '../../src/queue/types/store.ts';
import type { Clock } from '../../src/system/clock.ts';
import { systemClock } from '../../src/system/clock.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { unavailable } from '../../src/testing/serverSteps.ts';
import { folder } from '../core/harness.ts';
import { countedClaim } from './support/countedClaims.ts';
import { eventOf } from './support/events.ts';
import { tell } from './support/figures.ts';

const ORIGIN = 'https://api.test';
const CLOSED = 300;
const OPEN = 20;
const HOUR_MS = 3_600_000;

const ZONE: ZoneOptions = {
  origins: [ORIGIN],
  maxConcurrency: 5,
  endpoint: ({ path }) => path.split('/')[1],
};

/** `backend`, and the claims that are made of it. */
function watched(backend: Backend): { readonly backend: Backend; readonly claims: ClaimQuery[] } {
  const claims: ClaimQuery[] = [];
  const { requests } = backend;
  const claim: typeof requests.claim = (query) => {
    claims.push(query);
    return requests.claim(query);
  };
  const spied = new Proxy(requests, {
    get: (target, name) => {
      if (name === 'claim') return claim;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const whole = new Proxy(backend, {
    get: (target, name) => {
      if (name === 'requests') return spied;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { backend: whole, claims };
}

/** A started queue with so many endpoints that are closed, each with a request that waits. Its zone is paused. */
async function withClosed(backend: Backend, clock: Clock): Promise<QueueManager> {
  const network = new FakeNetwork({ clock });
  network.serve(ORIGIN);
  const queue = new QueueManager({ config: { zones: { api: ZONE } }, clock, backend, transport: network });
  onTestFinished(() => queue.close());
  await queue.start();
  queue.pause('api');
  return queue;
}

async function close(queue: QueueManager, endpoints: number): Promise<void> {
  await queue.enqueueMany(Array.from({ length: endpoints }, (_, n) => put(`closed${n}/1`)));
  for (let n = 0; n < endpoints; n += 1) queue.zones.isolate('api', `closed${n}`);
}

const put = (path: string) => ({ request: { method: 'PUT', url: `${ORIGIN}/${path}`, body: {} } });

const openOnes = (queue: QueueManager) => queue.enqueueMany(Array.from({ length: OPEN }, (_, n) => put(`open/${n}`)));

/** A file with requests of an endpoint that is open, and of so many that are not, and a claim the queue made of it. */
async function claimBeside(closed: number): Promise<{ readonly path: string; readonly query: ClaimQuery }> {
  const path = join(await folder(), 'queue.db');
  const { backend, claims } = watched(new SQLiteBackend({ path }));
  const queue = await withClosed(backend, systemClock);
  if (closed > 0) await close(queue, closed);
  await openOnes(queue);
  const areDone = eventOf(queue, 'request:settled', () => true, OPEN);
  queue.resume('api');
  await areDone;
  queue.pause('api');
  await openOnes(queue);
  await queue.close();
  const asked = claims.flatMap(({ channels }) => channels.map(({ channel }) => channel));
  // That of the zone is what is none of these endpoints, and may be looked at once.
  expect(asked.filter((channel) => channel !== 'api' && channel !== 'api#open')).toEqual([]);
  const [first] = claims.filter(({ channels }) => channels.some(({ channel }) => channel === 'api#open'));
  if (first === undefined) throw new Error('nothing of the open endpoint was claimed');
  return { path, query: { ...first, channels: first.channels.filter(({ channel }) => channel === 'api#open') } };
}

describe('closed channels', () => {
  it('add no statement and no row to a claim of others', async () => {
    const [alone, beside] = [await claimBeside(0), await claimBeside(CLOSED)];
    const [few, many] = [countedClaim(alone.path, alone.query), countedClaim(beside.path, beside.query)];
    tell('a claim', {
      alone: `${few.statements} statements ${few.rows} rows ${few.claimed} claimed`,
      [`beside ${CLOSED} closed channels`]: `${many.statements} statements ${many.rows} rows ${many.claimed} claimed`,
    });
    expect(many).toEqual(few);
    expect(few.claimed).toBeGreaterThan(0);
  });

  it('are the cause of no claim', async () => {
    const clock = new FakeClock();
    const { backend, claims } = watched(new MemoryBackend());
    const queue = await withClosed(backend, clock);
    await close(queue, CLOSED);
    queue.resume('api');
    await clock.advance(HOUR_MS);
    const asked = claims.flatMap(({ channels }) => channels.map(({ channel }) => channel));
    tell(`${CLOSED} closed channels in an hour`, { claims: claims.length, 'of what': asked });
    // What is none of these endpoints is open, and was looked at once.
    expect(asked).toEqual(['api']);
    expect(await queue.counts()).toMatchObject({ ready: CLOSED });
  });

  it('are claimed from once for each probe', async () => {
    const clock = new FakeClock();
    const { backend, claims } = watched(new MemoryBackend());
    const network = new FakeNetwork({ clock });
    const server = network.serve(ORIGIN);
    server.script.always(unavailable());
    const zones = { api: { origins: [ORIGIN] } };
    const queue = new QueueManager({ config: { zones }, clock, backend, transport: network });
    onTestFinished(() => queue.close());
    await queue.start();
    const opened = eventOf(queue, 'breaker:opened', () => true);
    await openOnes(queue);
    await opened;
    await clock.settle();
    const [claimed, arrived] = [claims.length, server.ledger.entries.length];
    await clock.advance(HOUR_MS);
    const probes = server.ledger.entries.length - arrived;
    tell('a closed zone in an hour', { claims: claims.length - claimed, probes });
    expect(claims.length - claimed).toBe(probes);
  });
});
