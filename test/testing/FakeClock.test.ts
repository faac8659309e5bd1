import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../src/testing/FakeClock.ts';

describe('FakeClock', () => {
  it('stands still until it is advanced', async () => {
    const clock = new FakeClock({ now: 5_000, monotonicNow: 100 });
    await clock.settle();
    expect([clock.now(), clock.monotonicNow()]).toEqual([5_000, 100]);
    await clock.advance(250);
    expect([clock.now(), clock.monotonicNow()]).toEqual([5_250, 350]);
  });

  it('runs timers in the order they are due, ties in the order they were set', async () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    clock.schedule(20, () => seen.push('late'));
    clock.schedule(10, () => seen.push('first'));
    clock.schedule(10, () => seen.push('second'));
    await clock.advance(15);
    expect(seen).toEqual(['first', 'second']);
    await clock.advance(5);
    expect(seen).toEqual(['first', 'second', 'late']);
  });

  it('shows each timer the time it was due at', async () => {
    const clock = new FakeClock({ now: 0 });
    const seen: number[] = [];
    clock.schedule(10, () => seen.push(clock.now()));
    clock.schedule(30, () => seen.push(clock.now()));
    await clock.advance(100);
    expect(seen).toEqual([10, 30]);
  });

  it('lets the work of one timer settle before the next runs', async () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    clock.schedule(1, () => {
      void (async () => {
        await Promise.resolve();
        await new Promise<void>((resolve) => setImmediate(resolve));
        seen.push('work of the first');
      })();
    });
    clock.schedule(2, () => seen.push('second'));
    await clock.advance(2);
    expect(seen).toEqual(['work of the first', 'second']);
  });

  it('runs timers that timers set, within the time given', async () => {
    const clock = new FakeClock();
    let ticks = 0;
    const tick = (): void => {
      ticks += 1;
      clock.schedule(10, tick);
    };
    clock.schedule(10, tick);
    await clock.advance(95);
    expect(ticks).toBe(9);
  });

  it('counts the timers that wait, and forgets those called off', async () => {
    const clock = new FakeClock();
    const timer = clock.schedule(10, () => undefined, { keepAlive: true });
    clock.schedule(20, () => undefined);
    expect([clock.pending, clock.keepingAlive, clock.nextInMs]).toEqual([2, 1, 10]);
    timer.cancel();
    timer.cancel();
    expect([clock.pending, clock.keepingAlive, clock.nextInMs]).toEqual([1, 0, 20]);
    await clock.advance(20);
    expect([clock.pending, clock.nextInMs]).toEqual([0, undefined]);
  });

  it('moves the wall without moving monotonic time or running a timer', async () => {
    const clock = new FakeClock({ now: 10_000 });
    let ran = false;
    clock.schedule(1_000, () => {
      ran = true;
    });
    clock.setWall(99_000);
    await clock.settle();
    expect([clock.now(), ran]).toEqual([99_000, false]);
    clock.setWall(0);
    await clock.advance(1_000);
    expect([clock.now(), ran]).toEqual([1_000, true]);
  });

  it('advances from timer to timer until a condition holds, and no further', async () => {
    const clock = new FakeClock({ now: 0 });
    let ticks = 0;
    const tick = (): void => {
      ticks += 1;
      clock.schedule(1_000, tick);
    };
    clock.schedule(1_000, tick);
    expect(await clock.advanceUntil(() => ticks === 3, 60_000)).toBe(true);
    expect(clock.now()).toBe(3_000);
    expect(await clock.advanceUntil(() => ticks === 100, 5_000)).toBe(false);
    expect(clock.now()).toBe(8_000);
  });
});
