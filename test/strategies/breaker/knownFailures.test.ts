import { describe, expect, it } from 'vitest';
import { KnownFailures } from '../../../src/queue/strategies/breaker/KnownFailures.ts';

describe('a request that fails', () => {
  it('says nothing new the second time in a row', () => {
    const known = new KnownFailures();
    expect([known.failed('a'), known.failed('a'), known.failed('a')]).toEqual([false, true, true]);
  });

  it('says nothing new the third time, where others were served in between', () => {
    const known = new KnownFailures();
    const said: boolean[] = [];
    for (let n = 0; n < 4; n += 1) {
      said.push(known.failed('a'), known.failed('b'));
      known.succeeded(`other ${n}`);
    }
    expect(said).toEqual([false, false, false, false, true, true, true, true]);
  });

  it('says something new each time while nothing is served: that is an outage', () => {
    const known = new KnownFailures();
    for (let n = 0; n < 3; n += 1) {
      known.failed('a');
      known.failed('b');
      known.succeeded(`other ${n}`);
    }
    expect([known.failed('a'), known.failed('b')]).toEqual([true, true]);
    for (let n = 0; n < 5; n += 1) expect([known.failed('a'), known.failed('b')]).toEqual([false, false]);
  });

  it('starts anew once it was served', () => {
    const known = new KnownFailures();
    for (let n = 0; n < 3; n += 1) {
      known.failed('a');
      known.succeeded(`other ${n}`);
    }
    known.succeeded('a');
    expect(known.failed('a')).toBe(false);
  });

  it('is forgotten behind 256 others that failed after it', () => {
    const known = new KnownFailures();
    for (let round = 0; round < 2; round += 1) {
      for (let n = 0; n < 256; n += 1) known.failed(`${n}`);
      known.succeeded(`other ${round}`);
    }
    known.failed('one more');
    expect([known.failed('0'), known.failed('2')]).toEqual([false, true]);
  });
});
