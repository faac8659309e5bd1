import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../../src/index.ts';
import type { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import { park, refuse, unavailable } from '../../../src/testing/serverSteps.ts';
import { arrivals, detailsOf, failure, final, soon, stored, until } from './support/looks.ts';
import { open, STORES, serve, serveLater } from './support/queues.ts';

const REFUSALS_UNTIL_DOWN = 3;

/** Ways in which a zone comes to take no call, and how it is told to take them again. */
interface Standstill {
  readonly name: string;
  readonly reason: string;
  /** The server, and the queue whose zone of it takes no call. */
  make(queue: QueueManager): Promise<ScriptedServer>;
  end(queue: QueueManager, server: ScriptedServer): Promise<void> | void;
}

const PAUSED: Standstill = {
  name: 'is paused',
  reason: 'paused',
  make: async (queue) => {
    const server = await serve();
    await queue.fetch(server.origin); // so that the zone is known
    queue.pause(server.origin);
    return server;
  },
  end: (queue, server) => queue.resume(server.origin),
};

const PAUSED_WITH_ALL: Standstill = {
  name: 'was never met, and all is paused',
  reason: 'paused',
  make: async (queue) => {
    queue.pause();
    return serve();
  },
  end: (queue) => queue.resume(),
};

const DOWN: Standstill = {
  name: 'refuses connections',
  reason: 'down',
  make: async (queue) => {
    const server = await serveLater();
    const isDown = new Promise((resolve) => queue.on('zone:offline', resolve));
    for (let n = 0; n < REFUSALS_UNTIL_DOWN; n += 1) {
      await queue.enqueue({ method: 'PUT', url: `${server.origin}/probe`, body: 'x' }, { lane: null, dedupe: false });
    }
    await soon(isDown, 'the zone is down');
    return server;
  },
  // Tried again after 5 to 6 s.
  end: (_, server) => server.start(),
};

function limitedBy(status: number): Standstill {
  return {
    name: `answered ${status} with Retry-After`,
    reason: 'limited',
    make: async (queue) => {
      const server = await serve();
      server.script.next(refuse({ status, headers: [['retry-after', '600']] }));
      const isLimited = new Promise((resolve) => queue.on('zone:limited', resolve));
      const one = await queue.enqueue({ method: 'GET', url: `${server.origin}/probe` });
      await soon(isLimited, 'the zone is limited');
      await until(async () => (await queue.get(one.id))?.state === 'scheduled', 'the first one waits');
      await one.cancel();
      return server;
    },
    end: (queue, server) => queue.resume(server.origin),
  };
}

const STANDSTILLS = [PAUSED, PAUSED_WITH_ALL, DOWN, limitedBy(503), limitedBy(429)];

function made(server: ScriptedServer, path = '/notes'): string[] {
  return arrivals(server).filter((one) => one.includes(path));
}

describe.each(STORES)('offline, on %s:', (store) => {
  describe.each(STANDSTILLS)('a zone that $name', ({ reason, make, end }) => {
    it('is waited for by default', async () => {
      const queue = await open(store);
      const server = await make(queue);
      let isDone = false;
      const call = queue.fetch(`${server.origin}/notes`, { method: 'POST', body: 'a' });
      const done = call.then(() => {
        isDone = true;
      });
      await until(async () => (await queue.find({ zone: server.origin })).requests.length > 0, 'it is stored');
      expect(isDone).toBe(false);
      await end(queue, server);
      expect((await soon(call, 'the answer')).status).toBe(201);
      await done;
      expect(made(server)).toEqual(['POST /notes a']);
    });

    it('rejects at once where that is wanted, and nothing is stored', async () => {
      const queue = await open(store);
      const server = await make(queue);
      const init = { method: 'POST', body: 'a', queue: { offline: 'reject' } } as const;
      const { message, error, ours } = await failure(queue.fetch(`${server.origin}/notes`, init));
      expect(message).toBe('fetch failed');
      // What the connection failed with last is what SDKs look at.
      if (reason === 'down') expect(error.cause.code).toBe('ECONNREFUSED');
      else expect(error.cause).toBe(ours);
      expect(ours?.code).toBe('ZONE_UNREACHABLE');
      expect(ours?.details).toMatchObject({ zone: server.origin, reason });
      expect(ours?.details).not.toHaveProperty('accepted');
      const { requests } = await queue.find({ state: ['ready', 'scheduled', 'sending', 'blocked', 'held'] });
      expect(requests.filter(({ content }) => content.path === '/notes')).toEqual([]);
      const read = await failure(queue.fetch(`${server.origin}/notes`, { queue: { offline: 'reject' } }));
      expect(read.ours?.code).toBe('ZONE_UNREACHABLE');
    });

    it('rejects and is given it later, once, where that is wanted', async () => {
      const queue = await open(store);
      const server = await make(queue);
      const init = { method: 'POST', body: 'a', queue: { offline: 'rejectAndKeep' } } as const;
      const { ours } = await failure(queue.fetch(`${server.origin}/notes`, init));
      expect(ours?.code).toBe('ZONE_UNREACHABLE');
      expect(ours?.details).toMatchObject({ accepted: true, id: expect.any(String) });
      const { id } = detailsOf(ours);
      expect(await queue.get(id)).toBeDefined();
      await end(queue, server);
      await soon(queue.handle(id).result(), 'its end');
      expect(made(server)).toEqual(['POST /notes a']);
    });

    it('accepts with a 202 where that is wanted', async () => {
      const queue = await open(store);
      const server = await make(queue);
      const init = { method: 'POST', body: 'a', queue: { offline: 'accept' } } as const;
      const accepted = await soon(queue.fetch(`${server.origin}/notes`, init), 'a 202');
      expect(accepted.status).toBe(202);
      const read = await soon(queue.fetch(`${server.origin}/notes/7`, { queue: { offline: 'accept' } }), 'a 202');
      await end(queue, server);
      await until(() => made(server).length === 2, 'both arrive').catch(() => undefined);
      expect((await final(queue, accepted.headers.get('location') ?? '')).status).toBe(201);
      const answer = await final(queue, read.headers.get('location') ?? '');
      expect([answer.status, await answer.json()]).toMatchObject([200, { path: '/notes/7' }]);
      expect(made(server).sort()).toEqual(['GET /notes/7', 'POST /notes a']);
    });
  });

  describe('a zone that stops while a call waits', () => {
    it('rejects the call that found out, which is not kept', async () => {
      const server = await serveLater();
      const queue = await open(store);
      const init = { method: 'POST', body: 'a', queue: { offline: 'reject' } } as const;
      const { ours } = await failure(queue.fetch(`${server.origin}/notes`, init));
      expect(ours?.code).toBe('ZONE_UNREACHABLE');
      expect(ours?.details).not.toHaveProperty('accepted');
      await until(async () => (await queue.counts()).sending === 0, 'nothing is under way');
      const { ready, scheduled, blocked, held } = await queue.counts();
      expect({ ready, scheduled, blocked, held }).toEqual({ ready: 0, scheduled: 0, blocked: 0, held: 0 });
    });

    it('rejects and keeps, or accepts, the call that found out', async () => {
      const server = await serveLater();
      const queue = await open(store);
      const keep = { method: 'POST', body: 'a', queue: { offline: 'rejectAndKeep' } } as const;
      const { ours } = await failure(queue.fetch(`${server.origin}/notes`, keep));
      expect(ours?.details).toMatchObject({ accepted: true });
      const accept = { method: 'POST', body: 'b', queue: { offline: 'accept' } } as const;
      expect((await soon(queue.fetch(`${server.origin}/notes`, accept), 'a 202')).status).toBe(202);
      await until(async () => (await queue.counts()).sending === 0, 'nothing is under way');
      expect(await stored(queue)).toBe(2);
    });

    it('rejects calls that wait behind others, none of which is sent', async () => {
      const server = await serve();
      server.script.always(park);
      const zones = { api: { origins: [server.origin], maxConcurrency: 1 } };
      const queue = await open(store, { zones });
      const first = queue.fetch(`${server.origin}/first`);
      await until(() => server.parked === 1, 'the first one arrives');
      const waiting = ['a', 'b', 'c'].map((body) =>
        failure(queue.fetch(`${server.origin}/notes`, { method: 'POST', body, queue: { offline: 'reject' } })),
      );
      await until(async () => (await queue.counts()).ready === 3, 'the others wait');
      queue.pause('api');
      for (const { ours } of await Promise.all(waiting)) {
        expect(ours?.code).toBe('ZONE_UNREACHABLE');
        expect(ours?.details).not.toHaveProperty('accepted');
      }
      server.release();
      expect((await first).status).toBe(200);
      queue.resume('api');
      await queue.idle();
      expect(await queue.counts()).toMatchObject({ cancelled: 3, ready: 0 });
      expect(arrivals(server)).toEqual(['GET /first']);
    });

    it('answers the call that was told to wait', async () => {
      const server = await serve();
      server.script.next(unavailable(600));
      const queue = await open(store);
      const accept = { method: 'POST', body: 'b', queue: { offline: 'accept' } } as const;
      const accepted = await soon(queue.fetch(`${server.origin}/notes`, accept), 'a 202');
      expect(accepted.status).toBe(202);

      const other = await serve();
      other.script.next(unavailable(600));
      const reject = { method: 'POST', body: 'c', queue: { offline: 'rejectAndKeep' } } as const;
      const { ours } = await failure(queue.fetch(`${other.origin}/notes`, reject));
      expect(ours?.details).toMatchObject({ reason: 'limited', accepted: true });
    });

    it('rejects the call that the server told to wait, and does not keep what it refused', async () => {
      const server = await serve();
      server.script.next(unavailable(600));
      const queue = await open(store);
      const init = { method: 'POST', body: 'a', queue: { offline: 'reject' } } as const;
      const { ours } = await failure(queue.fetch(`${server.origin}/notes`, init));
      expect(ours?.details).toMatchObject({ reason: 'limited' });
      await until(async () => (await queue.counts()).sending === 0, 'nothing is under way');
      const { scheduled } = await queue.counts();
      // Either it is gone, or its caller was told that it is not.
      expect(scheduled === 1).toBe('accepted' in (ours?.details ?? {}));
    });

    it('leaves alone calls that are under way', async () => {
      const server = await serve();
      server.script.next(park);
      const queue = await open(store);
      const init = { method: 'POST', body: 'a', queue: { offline: 'wait' } } as const;
      const call = queue.fetch(`${server.origin}/notes`, init);
      await until(() => server.parked === 1, 'it arrives');
      queue.pause(server.origin);
      server.release();
      expect((await soon(call, 'the answer')).status).toBe(201);
    });
  });
});
