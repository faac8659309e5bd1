import { expect, it, onTestFinished } from 'vitest';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { DIST, startChild } from '../processes/support/child.ts';
import type { StoreAt } from '../replay/faults/support/stores.ts';
import { backendAt, describeStores } from '../replay/faults/support/stores.ts';
import { Gauge } from '../zones/support/Gauge.ts';

const SCRIPT = new URL('./support/member.mjs', import.meta.url);
const EVERY_MS = 1_000;
const TICKS = 6;

describeStores('two processes', (store) => {
  it('fire each due time once between them, also when one is killed', async () => {
    const gauge = await Gauge.open(0);
    const { kind, ...at } = await store.make();
    const backend = { kind, ...at };
    const start = async (schedule?: object) => {
      const child = startChild(SCRIPT, [JSON.stringify({ dist: DIST, backend, schedule })]);
      onTestFinished(async () => void (await child.kill()));
      await child.line('open');
      return child;
    };
    const request = { method: 'POST', url: `${gauge.origin}/ticks` };
    const first = await start({ everyMs: EVERY_MS, request, missed: 'runAll', overlap: 'allow' });
    const second = await start();
    const arrived = (count: number) =>
      new Promise<void>((resolve) => {
        gauge.onArrival = () => {
          if (gauge.arrivals.length >= count) resolve();
        };
      });
    await arrived(TICKS / 2);
    await first.kill();
    await arrived(TICKS);
    await second.kill();
    const told = [...first.lines, ...second.lines]
      .filter((line) => line.startsWith('fired '))
      .map((line) => Number(line.slice(6)));
    // Who was killed may have fired without having said so. A POST is not sent again.
    expect(new Set(told).size).toBe(told.length);
    const [earliest = 0, latest = 0] = [Math.min(...told), Math.max(...told)];
    const due = Array.from({ length: (latest - earliest) / EVERY_MS + 1 }, (_, n) => earliest + n * EVERY_MS);
    const untold = due.filter((one) => !told.includes(one));
    expect(untold.length).toBeLessThanOrEqual(1);
    expect(gauge.arrivals.length).toBeGreaterThanOrEqual(due.length - 1);
    expect(gauge.arrivals.length).toBeLessThanOrEqual(due.length + 1);
  });

  it('that are killed between the steps of a firing leave each due time to be fired once', async () => {
    const gauge = await Gauge.open(0);
    const { kind, ...at } = await store.make();
    const backend = { kind, ...at };
    const start = async (order: object) => {
      const child = startChild(SCRIPT, [JSON.stringify({ dist: DIST, backend, ...order })]);
      onTestFinished(async () => void (await child.kill()));
      await child.line('open');
      return child;
    };
    const request = { method: 'PUT', url: `${gauge.origin}/ticks` };
    const schedule = { everyMs: EVERY_MS, request, missed: 'runAll' };
    const points = [
      { when: 'after', verb: 'schedules.due' },
      { when: 'before', verb: 'enqueue' },
      { when: 'after', verb: 'enqueue' },
    ];
    for (const diesAt of points) {
      const child = await start({ schedule, diesAt });
      expect((await child.ended).signal).toBe('SIGKILL');
    }
    const living = await start({ diesAt: { when: 'before', verb: 'none' } });
    await living.line('fired ');
    await new Promise<void>((resolve) => {
      const check = () => void (gauge.arrivals.length >= 3 && resolve());
      gauge.onArrival = check;
      check();
    });
    await living.kill();
    const observer = new QueueManager({ backend: backendAt({ kind, ...at } as StoreAt), config: { dispatch: false } });
    onTestFinished(() => observer.close());
    await observer.start();
    const state = await observer.schedules.get('tick');
    const { requests } = await observer.find({ tags: ['schedule:tick'] });
    expect(requests).toHaveLength(state?.fired ?? 0);
    expect(state?.missed).toBe(0);
    const begin = Math.min(...living.lines.flatMap((line) => (line.startsWith('fired ') ? Number(line.slice(6)) : [])));
    // Of those killed one had its firing stored.
    expect((state?.last?.dueAt ?? 0) - begin).toBe(((state?.fired ?? 0) - 2) * EVERY_MS);
  });
});
