import { describe, expect, it } from 'vitest';
import type { BreakerSnapshot } from '../../../src/queue/strategies/breaker/snapshot.ts';
import { Bench } from './support/Bench.ts';

const HOUR_MS = 3_600_000;
/** Epoch ms at which every snapshot here is taken. */
const WALL = 1_800_000_000_000;

const openFor = (ms: number): BreakerSnapshot => ({
  v: 1,
  state: 'open',
  openUntil: WALL + ms,
  tries: 3,
  baseline: 0.12,
  updatedAt: WALL,
});

/** A new breaker that reads `snapshot` at monotonic 1,000 when the wall shows `wallNow`. */
function restored(snapshot: unknown, wallNow: number): Bench {
  const bench = new Bench();
  bench.breaker.restore(snapshot, wallNow, 1_000);
  return bench;
}

describe('a restored breaker', () => {
  it('is as it was, by its own snapshot', () => {
    const before = new Bench();
    const at = before.open();
    const snapshot = JSON.parse(JSON.stringify(before.breaker.snapshot(WALL, at))) as unknown;
    const after = restored(snapshot, WALL + 2_000);
    expect(after.story).toEqual(['closed→open restored']);
    expect(after.breaker.nextAt(1_000)).toBe(1_000 + 3_000);
    expect(after.breaker.tries).toBe(1);
    expect(after.breaker.snapshot(WALL + 2_000, 1_000)).toEqual({
      ...before.breaker.snapshot(WALL, at),
      updatedAt: WALL + 2_000,
    });
  });

  it('is half open where its open time is over', () => {
    const { breaker, story, changes } = restored(openFor(20_000), WALL + 20_000);
    expect(breaker.status(1_000)).toBe('halfOpen');
    expect(story).toEqual(['closed→open restored', 'open→halfOpen due']);
    expect(changes.map(({ at }) => at)).toEqual([1_000, 1_000]);
    expect(breaker.allows(1_000)).toBe(1);
  });

  it('is half open, not closed, where the clock jumped an hour ahead', () => {
    expect(restored(openFor(20_000), WALL + HOUR_MS).breaker.status(1_000)).toBe('halfOpen');
  });

  it('opens for no longer than the longest open time where the clock jumped an hour back', () => {
    const { breaker } = restored(openFor(20_000), WALL - HOUR_MS);
    expect(breaker.status(1_000)).toBe('open');
    expect(breaker.nextAt(1_000)).toBe(1_000 + 300_000);
  });

  it('goes on doubling its open time', () => {
    const bench = restored(openFor(0), WALL + 1_000);
    bench.call('failure', 1_000);
    expect(bench.changes.at(-1)).toMatchObject({ tries: 4, openMs: 40_000 });
  });

  it.each([
    ['older than a day', 24 * HOUR_MS + 1],
    ['of the day after tomorrow', -24 * HOUR_MS - 1],
  ])('is closed and keeps the baseline, by a snapshot %s', (_, ageMs) => {
    const { breaker, story } = restored(openFor(300_000), WALL + ageMs);
    expect(breaker.status(1_000)).toBe('closed');
    expect(breaker.baseline).toBe(0.12);
    expect(breaker.tries).toBe(0);
    expect(story).toEqual([]);
  });

  it('goes on with the ramp', () => {
    const bench = new Bench();
    bench.recover(bench.open() + 5_000);
    const { breaker } = restored(bench.breaker.snapshot(WALL, 9_000), WALL + 30_000);
    expect(breaker.status(1_000)).toBe('recovering');
    expect(breaker.share(1_000)).toBe(0.5);
    expect(breaker.status(31_000)).toBe('closed');
  });

  it('starts the ramp anew where the clock jumped an hour back', () => {
    const bench = new Bench();
    bench.recover(bench.open() + 5_000);
    const { breaker } = restored(bench.breaker.snapshot(WALL, 9_000), WALL - HOUR_MS);
    expect(breaker.share(31_000)).toBe(0.5);
    expect(breaker.status(61_000)).toBe('closed');
  });

  it('probes where it was half open', () => {
    const bench = new Bench();
    const at = bench.open() + 5_000;
    const { breaker } = restored(bench.breaker.snapshot(WALL, at), WALL);
    expect(breaker.allows(1_000)).toBe(1);
  });

  it('forgets its openings after five minutes closed', () => {
    const closed = { ...openFor(0), state: 'closed', openUntil: null };
    expect(restored(closed, WALL + 299_000).breaker.tries).toBe(3);
    expect(restored(closed, WALL + 300_000).breaker.tries).toBe(0);
  });

  it('does not learn a baseline above the highest', () => {
    expect(restored({ ...openFor(0), baseline: 1 }, WALL).breaker.baseline).toBe(0.25);
  });

  it('says how it stands itself while isolated', () => {
    const bench = new Bench();
    const at = bench.open();
    bench.breaker.isolate(at);
    expect(bench.breaker.snapshot(WALL, at)).toMatchObject({ state: 'open', openUntil: WALL + 5_000 });
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['a text', 'open'],
    ['a list', []],
    ['an empty object', {}],
    ['another version', { ...openFor(1_000), v: 2 }],
    ['an unknown state', { ...openFor(1_000), state: 'isolated' }],
    ['an open state without an end', { ...openFor(1_000), openUntil: null }],
    ['an end that is no number', { ...openFor(1_000), openUntil: Number.NaN }],
    ['an end that is a text', { ...openFor(1_000), openUntil: '2030' }],
    ['an end of a closed state', { ...openFor(1_000), state: 'closed' }],
    ['less than no openings', { ...openFor(1_000), tries: -1 }],
    ['half an opening', { ...openFor(1_000), tries: 0.5 }],
    ['a baseline above 1', { ...openFor(1_000), baseline: 2 }],
    ['no baseline', { ...openFor(1_000), baseline: null }],
    ['no time of its making', { ...openFor(1_000), updatedAt: Number.POSITIVE_INFINITY }],
  ])('ignores a snapshot that is or has %s', (_, snapshot) => {
    const bench = new Bench();
    expect(bench.breaker.restore(snapshot, WALL, 1_000)).toBe(false);
    expect(bench.breaker).toMatchObject({ baseline: 0.05, tries: 0 });
    expect(bench.changes).toEqual([]);
  });
});

describe('advice of another process', () => {
  it('is taken where a call of this one failed too', () => {
    const bench = new Bench();
    bench.call('failure', 0);
    expect(bench.breaker.advise(20_000, 1_000)).toBe(true);
    expect(bench.story).toEqual(['closed→open advised']);
    expect(bench.breaker.nextAt(1_000)).toBe(20_000);
    expect(bench.breaker.tries).toBe(0);
  });

  it('is not taken where nothing failed, nor on failures that are over', () => {
    const bench = new Bench();
    bench.call('success', 0);
    expect(bench.breaker.advise(20_000, 1_000)).toBe(false);
    bench.call('failure', 2_000);
    expect(bench.breaker.advise(90_000, 60_000)).toBe(false);
    expect(bench.changes).toEqual([]);
  });

  it('never opens for longer than the longest open time', () => {
    const bench = new Bench();
    bench.call('failure', 0);
    bench.breaker.advise(86_400_000, 1_000);
    expect(bench.breaker.nextAt(1_000)).toBe(301_000);
  });

  it('prolongs an open time, and never shortens it', () => {
    const bench = new Bench();
    const at = bench.open();
    expect(bench.breaker.advise(at + 4_000, at)).toBe(false);
    expect(bench.breaker.advise(at + 8_000, at)).toBe(true);
    expect(bench.breaker.nextAt(at)).toBe(at + 8_000);
    expect(bench.story.slice(1)).toEqual(['open→open advised']);
  });

  it('is taken in the place of a probe, however long ago a call of this one failed', () => {
    const bench = new Bench();
    const at = bench.open() + 3_600_000;
    expect(bench.breaker.status(at)).toBe('halfOpen');
    expect(bench.breaker.advise(at + 20_000, at)).toBe(true);
    expect(bench.breaker.nextAt(at)).toBe(at + 20_000);
  });

  it('does not end probes, and is no news when it is over', () => {
    const bench = new Bench();
    const at = bench.open() + 5_000;
    expect(bench.breaker.status(at)).toBe('halfOpen');
    bench.breaker.started(at);
    expect(bench.breaker.advise(at + 20_000, at)).toBe(false);
    const other = new Bench();
    other.call('failure', 0);
    expect(other.breaker.advise(10, 10)).toBe(false);
    expect(other.breaker.advise(Number.NaN, 10)).toBe(false);
  });
});
