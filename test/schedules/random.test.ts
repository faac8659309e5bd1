import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ScheduleOptions } from '../../src/queue/core/schedules/options.ts';
import { positionAfter } from '../../src/queue/strategies/schedule/plan.ts';
import { timesOf } from '../../src/queue/strategies/schedule/timing.ts';
import { at } from '../core/harness.ts';
import type { Member } from './support/Site.ts';
import { memorySite } from './support/Site.ts';

const SECOND_MS = 1_000;
const request = { method: 'POST', url: at('/ticks') };
const TIMES: readonly Pick<ScheduleOptions, 'cron' | 'everyMs'>[] = [
  { cron: '*/10 * * * * *' },
  { cron: '* * * * *' },
  { everyMs: 7 * SECOND_MS },
];

const events = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.integer({ min: 1, max: 40_000 }) }) },
    fc.record({ do: fc.constant('jump'), ms: fc.integer({ min: -600_000, max: 600_000 }) }),
    fc.record({ do: fc.constantFrom('crash', 'close'), ms: fc.integer({ min: 0, max: 1 }) }),
    fc.record({ do: fc.constant('die'), ms: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ do: fc.constant('set'), ms: fc.integer({ min: 0, max: TIMES.length - 1 }) }),
    fc.record({ do: fc.constantFrom('pause', 'resume', 'fire'), ms: fc.constant(0) }),
  ),
  { minLength: 3, maxLength: 14 },
);
const POINTS = ['schedules.due', 'enqueue', 'schedules.set'] as const;
const policies = fc.constantFrom('skip', 'runOnce', 'runAll');

/** Two processes and what happens to them. */
async function play(
  happenings: readonly { readonly do: string; readonly ms: number }[],
  missed: 'skip' | 'runOnce' | 'runAll',
): Promise<void> {
  const site = memorySite();
  const fired: string[] = [];
  // Of other times the same instant is another due time.
  let generation = 1;
  const open = async (): Promise<Member> => {
    const member = await site.open();
    member.queue.on('schedule:fired', ({ dueAt }) => dueAt !== null && fired.push(`${generation} ${dueAt}`));
    return member;
  };
  const members = [await open(), await open()] as [Member, Member];
  const define = async (index: number): Promise<void> => {
    const options = { ...TIMES[index], request, missed, overlap: 'allow' } as const;
    ({ generation } = await members[1].queue.schedules.set('tick', options));
  };
  await define(0);
  for (const { do: what, ms } of happenings) {
    if (members[0].life.over) members[0] = await open();
    const [{ queue, life, diesAt }, { queue: other }] = members;
    if (what === 'pass') await site.clock.advance(ms);
    if (what === 'jump') site.clock.setWall(site.clock.now() + ms);
    if (what === 'crash') site.end(life);
    if (what === 'die') diesAt({ when: ms % 2 === 0 ? 'before' : 'after', verb: POINTS[ms >> 1] ?? 'enqueue' });
    if (what === 'close') {
      const closing = queue.close();
      await site.clock.advance(15 * SECOND_MS);
      if (!life.over) await closing;
      site.end(life);
    }
    if (what === 'set') await define(ms);
    if (what === 'pause') await other.schedules.pause('tick');
    if (what === 'resume') await other.schedules.resume('tick');
    if (what === 'fire') await (await other.schedules.fire('tick')).settled();
    await site.clock.settle();
  }
  // A minute after the last of it everything is as ever.
  await members[1].queue.schedules.resume('tick');
  await site.clock.advance(65 * SECOND_MS);
  const record = await site.record('tick');
  const now = site.clock.now();
  const made = await members[1].queue.find({ tags: ['schedule:tick'] }, { limit: 10_000 });
  expect(made.requests).toHaveLength(record.fired);
  expect(new Set(fired).size).toBe(fired.length);
  const { dueAt, fired: ranges } = record.position;
  expect(dueAt).toBeGreaterThan(now);
  // The next one that has not fired by a clock that was ahead.
  expect(dueAt).toBe(positionAfter(timesOf(record.definition), now, ranges).dueAt);
}

describe('whatever happens to two processes and their clock', () => {
  it('no due time fires twice, no firing is lost, and nothing stands still', async () => {
    await fc.assert(fc.asyncProperty(events, policies, play), { numRuns: 50 });
  });
});
