import { describe, expect, it } from 'vitest';
import type { SettledNotice } from '../../src/queue/types/events.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { at, deferred, errorOf, folder, onFile, realServer, world } from './harness.ts';

async function send(test: TestQueue, ...bodies: string[]): Promise<void> {
  for (const body of bodies) {
    await test.queue.enqueue({ method: 'POST', url: at('/notes'), body }, { tags: [body], lane: 'l' });
  }
  await test.clock.settle();
}

describe('a durable subscriber', () => {
  it('is told of everything that ended, in order, one at a time', async () => {
    const test = await world();
    const told: SettledNotice[] = [];
    let atOnce = 0;
    await send(test, 'before');
    test.queue.subscribe(
      {},
      async (notice) => {
        atOnce += 1;
        expect(atOnce).toBe(1);
        await test.clock.settle();
        told.push(notice);
        atOnce -= 1;
      },
      { durable: 'billing' },
    );
    test.server.script.next(refuse({ status: 400 }));
    await send(test, 'rejected', 'ok');
    await test.clock.advance(10_000);
    expect(told.map(({ tags, state, status }) => `${tags[0]} ${state} ${status}`)).toEqual([
      'before succeeded 201',
      'rejected dead 400',
      'ok succeeded 201',
    ]);
  });

  it('goes on after a restart where it stopped', async () => {
    const test = await world();
    const told: string[] = [];
    const handler = (notice: SettledNotice) => void told.push(notice.tags[0] ?? '');
    test.queue.subscribe({}, handler, { durable: 'billing' });
    await send(test, '1', '2');
    await test.clock.advance(5_000);
    expect(told).toEqual(['1', '2']);
    await test.crash();
    await send(test, '3');
    await test.clock.advance(40_000);
    test.queue.subscribe({}, handler, { durable: 'billing' });
    await test.clock.advance(40_000);
    expect(told).toEqual(['1', '2', '3']);
    test.queue.subscribe({}, handler, { durable: 'another' });
    await test.clock.advance(5_000);
    expect(told).toEqual(['1', '2', '3', '1', '2', '3']);
  });

  it('is told at once after a crash that found it with nothing to do', async () => {
    const test = await world();
    const told: string[] = [];
    const handler = ({ tags }: SettledNotice) => void told.push(tags[0] ?? '');
    test.queue.subscribe({}, handler, { durable: 'billing' });
    await send(test, '1');
    await test.clock.advance(5_000);
    await test.crash();
    test.queue.subscribe({}, handler, { durable: 'billing' });
    await send(test, '2');
    await test.clock.advance(2_000);
    expect(told).toEqual(['1', '2']);
  });

  it('is told again what it failed on, and nothing after it before that', async () => {
    const test = await world();
    const told: string[] = [];
    let failures = 3;
    test.queue.subscribe(
      {},
      async ({ tags }) => {
        if (tags[0] === '2' && failures > 0) {
          failures -= 1;
          throw new Error('handler');
        }
        told.push(tags[0] ?? '');
      },
      { durable: 'billing' },
    );
    await send(test, '1', '2', '3');
    await test.clock.advance(60_000);
    expect(failures).toBe(0);
    expect(told).toEqual(['1', '2', '3']);
  });

  it('that throws at once is told again too', async () => {
    const test = await world();
    let calls = 0;
    const handler = () => {
      calls += 1;
      if (calls < 3) throw new Error('handler');
    };
    test.queue.subscribe({}, handler, { durable: 'billing' });
    await send(test, '1');
    await test.clock.advance(60_000);
    expect(calls).toBe(3);
  });

  it('is told at least once of what it was told of when the process died', async () => {
    const test = await world();
    const told: string[] = [];
    const never = deferred();
    test.queue.subscribe(
      {},
      ({ tags }) => {
        told.push(tags[0] ?? '');
        return told.length === 2 ? never.promise : undefined;
      },
      { durable: 'billing' },
    );
    await send(test, '1', '2', '3');
    await test.clock.advance(1_000);
    expect(told).toEqual(['1', '2']);
    await test.crash();
    test.queue.subscribe({}, ({ tags }) => void told.push(tags[0] ?? ''), { durable: 'billing' });
    await test.clock.advance(60_000);
    expect(told.slice(-2)).toEqual(['2', '3']);
  });

  it('is told of what matches only', async () => {
    const test = await world();
    const told: string[] = [];
    test.queue.subscribe({ tags: ['2'] }, ({ tags }) => void told.push(tags[0] ?? ''), { durable: 'billing' });
    await send(test, '1', '2', '3');
    await test.clock.advance(5_000);
    expect(told).toEqual(['2']);
  });

  it('is told nothing more once it ended', async () => {
    const test = await world();
    const told: string[] = [];
    const stop = test.queue.subscribe({}, ({ tags }) => void told.push(tags[0] ?? ''), { durable: 'billing' });
    await send(test, '1');
    await test.clock.advance(5_000);
    await stop();
    await stop();
    await send(test, '2');
    await test.clock.advance(5_000);
    expect(told).toEqual(['1']);
  });

  it('sees what retention would have deleted', async () => {
    const test = await world({ retention: { maxRecords: 1 } });
    const told: string[] = [];
    let isOpen = false;
    const handler = ({ tags }: SettledNotice) => {
      if (!isOpen) throw new Error('not yet');
      told.push(tags[0] ?? '');
    };
    test.queue.subscribe({}, handler, { durable: 'billing' });
    await send(test, '1', '2', '3', '4');
    await test.clock.advance(300_000);
    isOpen = true;
    await test.clock.advance(120_000);
    expect(told).toEqual(['1', '2', '3', '4']);
  });

  it('needs a name', async () => {
    const test = await world();
    for (const options of [{}, { durable: '' }, undefined]) {
      const error = await errorOf(() => test.queue.subscribe({}, () => undefined, options as never));
      expect(error.code).toBe('REQUEST_INVALID');
      expect(error.message).toContain('durable');
    }
  });

  it('tells each end once when two queues on one file use its name', async () => {
    const server = await realServer();
    const path = `${await folder()}/q.db`;
    const queues = [await onFile(path), await onFile(path)];
    const told: string[] = [];
    const done = deferred();
    for (const queue of queues) {
      queue.subscribe(
        {},
        ({ tags }) => {
          told.push(tags[0] ?? '');
          if (told.length === 20) done.resolve();
        },
        { durable: 'billing' },
      );
    }
    for (let n = 0; n < 20; n += 1) {
      const request = { method: 'POST', url: `${server.origin}/a`, body: 'x' };
      await queues[n % 2]?.enqueue(request, { tags: [`${n}`], lane: 'l' });
    }
    await done.promise;
    await Promise.all(queues.map((queue) => queue.idle()));
    expect(told).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`));
  });
});
