import { describe, expect, it } from 'vitest';
import type { AuthProvider } from '../../src/queue/types/auth.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { at, record, world } from '../core/harness.ts';
import { memorySite } from './support/Site.ts';

const SECOND_MS = 1_000;
const request = { method: 'POST', url: at('/ticks') };
const every = (seconds: number) => ({ everyMs: seconds * SECOND_MS, request });

describe('a queue that is full', () => {
  it('leaves what is due to be fired once there is room', async () => {
    const test = await world({ maxSize: 1 });
    const full = record(test.queue, 'queue:full');
    test.queue.pause();
    const { id } = await test.queue.enqueue(request);
    await test.queue.schedules.set('tick', { ...every(100), missed: 'runAll' });
    await test.clock.advance(150 * SECOND_MS);
    expect(await test.queue.schedules.get('tick')).toMatchObject({ fired: 0, missed: 0 });
    expect(full.length).toBeGreaterThan(0);
    await test.queue.handle(id).cancel();
    await test.clock.advance(60 * SECOND_MS);
    expect(await test.queue.schedules.get('tick')).toMatchObject({ fired: 1, missed: 0 });
  });

  it('is asked ever more seldom', async () => {
    const test = await world({ maxSize: 1 });
    const full = record(test.queue, 'queue:full');
    test.queue.pause();
    await test.queue.enqueue(request);
    await test.queue.schedules.set('tick', every(10));
    await test.clock.advance(600 * SECOND_MS);
    expect(full.length).toBeLessThan(30);
  });
});

describe('a request that is refused for good', () => {
  it('is told, and keeps neither its schedule nor others from going on', async () => {
    const site = memorySite();
    const zone = (effectOf?: () => never) => ({ api: { origins: [TEST_ORIGIN], effectOf } });
    const first = await site.open({ zones: zone(), dispatch: false });
    const body = 'x'.repeat(2_000);
    await first.queue.schedules.set('large', { ...every(10), request: { ...request, body } });
    await first.queue.schedules.set('small', every(10));
    await first.queue.close();
    const { queue } = await site.open({ zones: zone(), maxBytes: 1_024 });
    const told = record(queue, 'schedule:missed');
    await site.clock.advance(35 * SECOND_MS);
    const large = await queue.schedules.get('large');
    expect(large).toMatchObject({ fired: 0, missed: 3, problem: { code: 'REQUEST_INVALID' } });
    expect(told).toMatchObject(Array(3).fill({ name: 'large', cause: 'refused', code: 'REQUEST_INVALID', count: 1 }));
    expect(await queue.schedules.get('small')).toMatchObject({ fired: 3, missed: 0, problem: null });
  });
});

describe('a firing that fails for a reason of its own', () => {
  it('is tried again, and lets others pass', async () => {
    let isDown = true;
    const auth: AuthProvider = {
      credential: () => {
        if (isDown) throw new Error('the token endpoint is down');
        return { headers: [['authorization', 'Bearer t']], principal: 'p', version: 1 };
      },
    };
    const other = { origins: ['https://other.test'] };
    const test = await world({ zones: { api: { origins: [TEST_ORIGIN], auth }, other } });
    test.network.serve('https://other.test');
    await test.queue.schedules.set('first', { ...every(10), missed: 'runAll' });
    await test.queue.schedules.set('second', { ...every(10), request: { method: 'POST', url: 'https://other.test/' } });
    await test.clock.advance(15 * SECOND_MS);
    expect(await test.queue.schedules.get('first')).toMatchObject({ fired: 0, problem: { code: 'AUTH_REQUIRED' } });
    expect(await test.queue.schedules.get('second')).toMatchObject({ fired: 1 });
    isDown = false;
    await test.clock.advance(20 * SECOND_MS);
    expect(await test.queue.schedules.get('first')).toMatchObject({ fired: 3, missed: 0, problem: null });
    expect(test.server.ledger.entries).toHaveLength(3);
  });

  it('from a function of the user that throws is no different', async () => {
    let throws = true;
    const effectOf = () => {
      if (throws) throw new Error('a mistake');
      return undefined;
    };
    const test = await world({ zones: { api: { origins: [TEST_ORIGIN], effectOf } } });
    await test.queue.schedules.set('tick', every(10));
    await test.clock.advance(15 * SECOND_MS);
    expect(await test.queue.schedules.get('tick')).toMatchObject({ fired: 0, problem: { message: 'a mistake' } });
    throws = false;
    await test.clock.advance(20 * SECOND_MS);
    expect((await test.queue.schedules.get('tick'))?.fired).toBeGreaterThan(0);
  });
});

describe('a schedule of a zone that is not known here', () => {
  it('is left to a process that knows it, and hides no other', async () => {
    const site = memorySite();
    const knows = await site.open({ zones: { api: { origins: [TEST_ORIGIN] } } });
    for (let n = 0; n < 100; n += 1) await knows.queue.schedules.set(`theirs ${n}`, every(10));
    site.end(knows.life);
    const { queue } = await site.open();
    await queue.schedules.set('own', every(20));
    await site.clock.advance(65 * SECOND_MS);
    expect(await queue.schedules.get('own')).toMatchObject({ fired: 3 });
    expect(await queue.schedules.get('theirs 0')).toMatchObject({ fired: 0, missed: 0 });
    const back = await site.open({ zones: { api: { origins: [TEST_ORIGIN] } } });
    const isFired = async () => (await back.queue.schedules.get('theirs 99'))?.fired === 1;
    expect(await site.clock.advanceUntil(isFired, 5 * SECOND_MS)).toBe(true);
  });
});

describe('a change', () => {
  it('by several at once is made by all of them, one after the other', async () => {
    const site = memorySite();
    const members = [await site.open(), await site.open(), await site.open()];
    await Promise.all(members.map(({ queue }, n) => queue.schedules.set('tick', every(10 + n))));
    expect((await site.record('tick')).generation).toBe(3);
    await Promise.all(members.map(({ queue }) => queue.schedules.fire('tick')));
    expect((await site.record('tick')).fired).toBe(3);
  });

  it('by several to the same definition is one', async () => {
    const site = memorySite();
    const members = [await site.open(), await site.open(), await site.open()];
    const states = await Promise.all(members.map(({ queue }) => queue.schedules.set('tick', every(10))));
    expect(new Set(states.map((state) => JSON.stringify(state))).size).toBe(1);
    expect((await site.record('tick')).generation).toBe(1);
  });

  it('made elsewhere is followed', async () => {
    const site = memorySite();
    const [setter, firing] = [await site.open({ dispatch: false }), await site.open()];
    await setter.queue.schedules.set('tick', every(10));
    await site.clock.advance(25 * SECOND_MS);
    expect(await firing.queue.schedules.get('tick')).toMatchObject({ fired: 2 });
  });

  it('of its own queue from a listener of its firing is no trouble', async () => {
    const test = await world();
    test.queue.on('schedule:fired', ({ name }) => void test.queue.schedules.remove(name));
    await test.queue.schedules.set('tick', every(10));
    await test.clock.advance(35 * SECOND_MS);
    expect(test.server.ledger.entries).toHaveLength(1);
  });
});

describe('a queue that closes', () => {
  it('fires nothing more, and leaves no timer', async () => {
    const site = memorySite();
    const { queue } = await site.open();
    await queue.schedules.set('tick', every(10));
    await site.clock.advance(15 * SECOND_MS);
    const closing = queue.close();
    await site.clock.advance(20 * SECOND_MS);
    await closing;
    expect(site.clock.pending).toBe(0);
    expect(await site.record('tick')).toMatchObject({ fired: 1 });
  });

  it('does so although the store never answers', async () => {
    const site = memorySite();
    const { queue, hangs } = await site.open();
    await queue.schedules.set('tick', every(10));
    hangs({ when: 'before', verb: 'schedules.due' });
    await site.clock.advance(15 * SECOND_MS);
    let isClosed = false;
    const closing = queue.close({ deadlineMs: 1_000 }).then(() => {
      isClosed = true;
    });
    await site.clock.advanceUntil(() => isClosed, 60 * SECOND_MS);
    await closing;
    expect(site.clock.pending).toBe(0);
  });
});
