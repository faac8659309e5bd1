import { expect, it, onTestFinished } from 'vitest';
import { DIST, startChild } from '../processes/support/child.ts';
import { describeStores } from '../replay/faults/support/stores.ts';
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
  }, 60_000);
});
