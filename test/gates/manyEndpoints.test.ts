import { describe, expect, it } from 'vitest';
import { refuse } from '../../src/testing/serverSteps.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
  HOUR_MS,
  MINUTE_MS,
  noteArrivals,
  put,
  rig,
  SECOND_MS,
  ZONE,
  zones,
} from './support/world.ts';

const byFirstSegment = ({ path }: { path: string }) => path.split(/[/?]/)[1];

describe('more endpoints than are told apart', () => {
  it('are all sent, and those beyond go by the gates of the zone', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    for (let n = 0; n < 1_200; n += 1) await test.queue.enqueue(put(`/e${n}/1`));
    await test.clock.settle();
    expect(await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded === 1_200, MINUTE_MS)).toBe(
      true,
    );
    expect(gatesOf(test.queue).endpoints.length).toBeLessThanOrEqual(1_000);
  });

  it('are all sent after a crash', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    test.queue.pause();
    for (let n = 0; n < 900; n += 1) await test.queue.enqueue(put(`/e${n}/1`));
    await test.crash();
    test.queue.pause();
    for (let n = 900; n < 1_200; n += 1) await test.queue.enqueue(put(`/e${n}/1`));
    const queue = await test.crash();
    expect(await test.clock.advanceUntil(async () => (await queue.counts()).succeeded === 1_200, MINUTE_MS)).toBe(true);
  });

  it('are all sent where several processes stored them, each as many as it tells apart', async () => {
    const config = { zones: zones({ endpoint: byFirstSegment }), dispatch: false };
    const first = await rig({ config, isShared: true });
    const { storage, clock, network } = first;
    const second = await rig({ config, isShared: true, storage, clock, network, seed: 2 });
    const enqueued: Promise<unknown>[] = [];
    for (let n = 0; n < 900; n += 1) {
      enqueued.push(first.queue.enqueue(put(`/first${n}/1`)), second.queue.enqueue(put(`/second${n}/1`)));
    }
    await Promise.all(enqueued);
    await first.close();
    await second.close();
    const { queue } = await rig({ config: { zones: config.zones }, isShared: true, storage, clock, network, seed: 3 });
    const all = async () => (await queue.counts()).succeeded === 1_800;
    expect(await clock.advanceUntil(all, 5 * MINUTE_MS)).toBe(true);
  });

  it('are forgotten when they were idle for long, but for those that stand for a failure', async () => {
    const test = await gated({
      endpoint: byFirstSegment,
      classify: ({ status }) => (status === 500 ? { is: 'rejected', scope: 'endpoint' } : undefined),
    });
    test.server.script.always(({ path }) => (path.startsWith('/bad') ? refuse({ status: 500 }) : undefined));
    await enqueueEach(test.queue, 5, '/bad');
    await test.clock.settle();
    await enqueueEach(test.queue, 1, '/alone');
    await test.clock.settle();
    test.queue.zones.isolate(ZONE, 'alone');
    expect(breakerOf(test.queue, 'bad')).toBe('open');
    for (let n = 0; n < 1_000; n += 1) await test.queue.enqueue(put(`/e${n}/1`));
    await test.clock.settle();
    await test.clock.advance(20 * MINUTE_MS);
    await test.queue.enqueue(put('/new/1'));
    await test.clock.settle();
    const { endpoints } = gatesOf(test.queue);
    expect(endpoints.map(({ scope }) => scope)).toContain(`${ZONE}#new`);
    expect(endpoints.length).toBeLessThan(10);
    expect(breakerOf(test.queue, 'bad')).toBe('halfOpen');
    expect(breakerOf(test.queue, 'alone')).toBe('isolated');
  });

  it('lose nothing that is due later where an endpoint was forgotten meanwhile', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    const { id } = await test.queue.enqueue(put('/later/1'), { notBefore: test.clock.now() + HOUR_MS });
    for (let n = 0; n < 1_000; n += 1) await test.queue.enqueue(put(`/e${n}/1`));
    await test.clock.advance(20 * MINUTE_MS);
    await test.queue.enqueue(put('/new/1'));
    await test.clock.settle();
    await test.clock.advance(HOUR_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it('cost no claim each when the queue looks for what is due', async () => {
    let claims = 0;
    const { queue, clock } = await rig({
      config: { zones: zones({ endpoint: byFirstSegment }) },
      hooks: {
        before: (verb) => {
          if (verb === 'claim') claims += 1;
        },
      },
    });
    await queue.enqueue(put('/later/1'), { notBefore: clock.now() + HOUR_MS });
    for (let n = 0; n < 500; n += 1) await queue.enqueue(put(`/e${n}/1`));
    await clock.advance(10 * SECOND_MS);
    claims = 0;
    await clock.advance(MINUTE_MS);
    expect(claims).toBeLessThanOrEqual(20);
  });

  it('keep a limit of the rate whose span is longer than they are remembered', async () => {
    const rateLimit = { max: 3, perMs: 6 * HOUR_MS, algorithm: 'slidingWindow' } as const;
    const test = await gated({ endpoint: { of: byFirstSegment, byName: { slow: { rateLimit } } } });
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 3, '/slow');
    for (let n = 0; n < 1_000; n += 1) await test.queue.enqueue(put(`/e${n}/1`));
    await test.clock.advance(20 * MINUTE_MS);
    await test.queue.enqueue(put('/new/1'));
    await test.clock.settle();
    await enqueueEach(test.queue, 3, '/slow/more');
    await test.clock.advance(HOUR_MS);
    expect(arrivals.filter(({ path }) => path.startsWith('/slow')).length).toBe(3);
  });
});
