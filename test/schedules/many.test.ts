import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { newRecord, written } from '../../src/queue/core/schedules/record.ts';
import { positionAfter } from '../../src/queue/strategies/schedule/plan.ts';
import { timesOf } from '../../src/queue/strategies/schedule/timing.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';

const HOUR_MS = 3_600_000;

/** A queue in memory, and the statements of schedules that are made. */
async function counting(schedules: number) {
  const clock = new FakeClock();
  const network = new FakeNetwork({ clock });
  const server = network.serve(TEST_ORIGIN);
  const statements: string[] = [];
  let asked = 0;
  const store = new MemoryBackend();
  const backend = hookBackend(store, {
    before: (verb) => {
      if (verb.startsWith('schedules.')) statements.push(verb);
      else asked += 1;
    },
  });
  const queue = new QueueManager({ config: { maxConcurrency: 1_000 }, clock, backend, transport: network });
  onTestFinished(() => queue.close());
  await queue.start();
  await clock.settle();
  const atStart = statements.splice(0);
  const timers = clock.pending;
  if (schedules > 0) {
    const request = { method: 'POST', url: `${TEST_ORIGIN}/ticks` };
    await queue.schedules.set('first', { everyMs: HOUR_MS, request });
    const { definition } = (await queue.schedules.get('first')) ?? {};
    if (definition === undefined) throw new Error('it was not stored');
    // Each a millisecond later than the one before it, from the second hour on.
    for (let n = 1; n < schedules; n += 1) {
      const own = { ...definition, startAt: clock.now() + 2 * HOUR_MS + n, everyMs: 24 * HOUR_MS };
      const position = positionAfter(timesOf(own), clock.now(), []);
      const record = newRecord(own, position, clock.now(), '');
      await store.schedules.set({ name: `schedule ${n}`, ...written(record) });
    }
  }
  statements.splice(0);
  return { clock, queue, server, statements, atStart, timers, asked: () => asked };
}

describe('a hundred thousand schedules', () => {
  it('cost no statement and one timer while none is due', async () => {
    const { clock, statements, timers } = await counting(100_000);
    expect(clock.pending).toBe(timers + 1);
    await clock.advance(50 * 60_000);
    expect(statements).toEqual([]);
    expect(clock.pending).toBe(timers + 1);
  });

  it('cost a firing of one of them what a firing of a single one costs', async () => {
    const [few, many] = [await counting(1), await counting(100_000)];
    for (const { clock } of [few, many]) await clock.advance(HOUR_MS);
    expect(many.statements).toEqual(few.statements);
    expect(few.statements).toEqual(['schedules.due', 'schedules.nextDueAt']);
    expect(many.server.ledger.entries).toHaveLength(1);
  });
});

describe('a queue without schedules', () => {
  it('asks once, at its start, and never again', async () => {
    const { clock, statements, atStart } = await counting(0);
    expect(atStart).toEqual(['schedules.list']);
    await clock.advance(HOUR_MS / 6);
    expect(statements).toEqual([]);
  });
});

it('many that are due at once are fired in steps', async () => {
  const { clock, queue, server, statements } = await counting(1);
  const request = { method: 'POST', url: `${TEST_ORIGIN}/ticks` };
  for (let n = 0; n < 300; n += 1) await queue.schedules.set(`at once ${n}`, { cron: '0 1 * * *', request });
  statements.splice(0);
  await clock.advance(HOUR_MS + 1_000);
  expect(server.ledger.entries).toHaveLength(301);
  expect(statements.filter((verb) => verb === 'schedules.due').length).toBeLessThanOrEqual(6);
});
