import { describe, expect, it } from 'vitest';
import { at } from '../core/harness.ts';
import type { Point, Site } from './support/Site.ts';
import { describeSites, memorySite } from './support/Site.ts';

const EVERY_MS = 10_000;
const POINTS: readonly Point[] = (['before', 'after'] as const).flatMap((when) =>
  ['schedules.due', 'enqueue', 'schedules.nextDueAt'].map((verb) => ({ when, verb })),
);
const request = { method: 'POST', url: at('/ticks') };

function define(open: () => Promise<Site>): void {
  it.each(POINTS)('that dies $when $verb leaves each due time to be fired once', async (point) => {
    const site = await open();
    const first = await site.open();
    await first.queue.schedules.set('tick', { everyMs: EVERY_MS, request, missed: 'runAll' });
    const begin = site.clock.now();
    await site.clock.advance(2 * EVERY_MS + 1_000);
    first.diesAt(point);
    await site.clock.advance(2 * EVERY_MS);
    site.end(first.life);
    const second = await site.open();
    await site.clock.advance(2 * EVERY_MS);
    const { fired, missed, position } = await site.record('tick');
    expect([fired, missed]).toEqual([6, 0]);
    expect(position.fired).toEqual([[begin + EVERY_MS, begin + 6 * EVERY_MS]]);
    expect((await second.queue.find({ tags: ['schedule:tick'] })).requests).toHaveLength(6);
  });

  it('that dies while it passes over what is late leaves it counted once', async () => {
    for (const when of ['before', 'after'] as const) {
      const site = await open();
      const first = await site.open();
      await first.queue.schedules.set('tick', {
        everyMs: 100 * EVERY_MS,
        startAt: site.clock.now(),
        request,
        missed: 'skip',
      });
      first.diesAt({ when, verb: 'schedules.set' });
      site.clock.setWall(site.clock.now() + 350 * EVERY_MS);
      await site.clock.advance(EVERY_MS);
      site.end(first.life);
      await site.open();
      await site.clock.advance(EVERY_MS);
      expect(await site.record('tick')).toMatchObject({ fired: 0, missed: 3 });
    }
  });

  it('that dies between what it replaces and the firing leaves the due time to be fired', async () => {
    const site = await open();
    const first = await site.open();
    first.queue.pause();
    await first.queue.schedules.set('tick', { everyMs: EVERY_MS, request, overlap: 'replace' });
    const begin = site.clock.now();
    await site.clock.advance(EVERY_MS);
    first.diesAt({ when: 'after', verb: 'amend' });
    await site.clock.advance(EVERY_MS);
    site.end(first.life);
    const second = await site.open();
    await site.clock.advance(1_000);
    expect(await site.record('tick')).toMatchObject({ fired: 2, missed: 0, last: { dueAt: begin + 2 * EVERY_MS } });
    const { requests } = await second.queue.find({ tags: ['schedule:tick'] });
    expect(requests.map(({ state }) => state === 'cancelled')).toEqual([true, false]);
  });

  it('beside another that lives fires nothing that this one fires', async () => {
    const site = await open();
    const [first, second] = [await site.open(), await site.open()];
    await first.queue.schedules.set('tick', { everyMs: EVERY_MS, request, missed: 'runAll' });
    const begin = site.clock.now();
    for (let n = 0; n < 6; n += 1) {
      await site.clock.advance(EVERY_MS);
      if (n === 3) site.end(first.life);
    }
    // What the first wrote last may be news to the second only now.
    await site.clock.advance(EVERY_MS / 2);
    const { fired, missed, position } = await site.record('tick');
    expect([fired, missed]).toEqual([6, 0]);
    expect(position.fired).toEqual([[begin + EVERY_MS, begin + 6 * EVERY_MS]]);
    expect((await second.queue.find({ tags: ['schedule:tick'] })).requests).toHaveLength(6);
  });
}

describe('a process over memory', () => define(() => Promise.resolve(memorySite())));
describeSites('a process', define);
