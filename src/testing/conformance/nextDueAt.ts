import assert from 'node:assert/strict';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';

const next = (t: Trial, channel = 'api', senders = ['']) =>
  t.requests.nextDueAt({ channels: [{ channel, senders }], after: null });

/** The earliest time strictly after `after`. */
const later = (t: Trial, after: number, senders = ['']) =>
  t.requests.nextDueAt({ channels: [{ channel: 'api', senders }], after });

export const nextDueAtGroup = group('nextDueAt', (test) => {
  test('is null where nothing becomes due by itself', async (t) => {
    assert.equal(await next(t), null);
    await t.accept();
    await t.take({ expiresAt: null, rank: { form: 'value', value: -1 } });
    assert.equal(await next(t), null);
    assert.equal(await t.requests.nextDueAt({ channels: [], after: null }), null);
  });

  test('is the earliest of scheduled, unknown and expiring ones', async (t) => {
    await t.accept({ notBefore: t.now + 50 });
    assert.equal(await next(t), t.now + 50);
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered', dueAt: t.now + 40 });
    assert.equal(await next(t), t.now + 40);
    const { id } = await t.accept({ expiresAt: t.now + 30 });
    assert.equal(await next(t), t.now + 30);
    await t.move(id, { state: 'held', reason: 'operator' });
    assert.equal(await next(t), t.now + 30);
    await t.move(id, { state: 'cancelled', reason: 'caller' });
    assert.equal(await next(t), t.now + 40);
  });

  test('does not wait for what is being sent to expire', async (t) => {
    await t.take({ expiresAt: t.now + 5 });
    assert.equal(await next(t), null);
  });

  test('looks at the channels and senders given only', async (t) => {
    await t.accept({ channel: 'other', notBefore: t.now + 5 });
    await t.accept({ sender: 'client:a', notBefore: t.now + 6 });
    assert.equal(await next(t), null);
    assert.equal(await next(t, 'other'), t.now + 5);
    assert.equal(await next(t, 'api', ['', 'client:a']), t.now + 6);
  });

  test('with a bound is the earliest after it, whatever waits until then', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered', dueAt: t.now + 30 });
    for (const ms of [10, 20, 20, 50]) await t.accept({ notBefore: t.now + ms });
    const { id } = await t.accept({ expiresAt: t.now + 40 });
    const asked = [t.now - 1, t.now + 9.5, t.now + 10, t.now + 20, t.now + 30, t.now + 40, t.now + 50];
    const answers: (number | null)[] = [];
    for (const after of asked) answers.push(await later(t, after));
    assert.deepEqual(answers, [...[10, 10, 20, 30, 40, 50].map((ms) => t.now + ms), null]);
    await t.move(id, { state: 'cancelled', reason: 'caller' });
    assert.equal(await later(t, t.now + 30), t.now + 50);
    assert.equal(await next(t), t.now + 10);
  });

  test('with a bound looks at every sender given, and past times stay to be asked for', async (t) => {
    await t.accept({ notBefore: t.now + 5 });
    await t.accept({ sender: 'client:a', notBefore: t.now + 6 });
    await t.accept({ channel: 'other', notBefore: t.now + 6 });
    t.now += 100;
    assert.equal(await next(t), t.now - 95);
    assert.equal(await later(t, t.now - 95), null);
    assert.equal(await later(t, t.now - 95, ['', 'client:a']), t.now - 94);
    assert.equal(await later(t, t.now, ['', 'client:a']), null);
  });

  test('a bound beyond many that wait finds the few that come later', async (t) => {
    for (let n = 0; n < 40; n += 1) await t.accept({ notBefore: t.now + ((n * 7) % 40) + 1 });
    for (let n = 0; n <= 40; n += 1) assert.equal(await later(t, t.now + n), n === 40 ? null : t.now + n + 1);
  });

  test('what is due has an effect at that instant', async (t) => {
    await t.accept({ notBefore: t.now + 5, expiresAt: t.now + 9 });
    t.now = (await next(t)) ?? 0;
    const claimed = await t.claim();
    assert.equal(claimed.length, 1);
    await t.accept({ expiresAt: t.now + 9, notBefore: t.now + 99 });
    t.now = (await next(t)) ?? 0;
    assert.equal((await t.requests.expire({ now: t.now, limit: 1 })).ended.length, 1);
  });
});
