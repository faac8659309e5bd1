import { expect, it } from 'vitest';
import { refused } from '../../../src/testing/FakeServer.ts';
import { refuse } from '../../../src/testing/serverSteps.ts';
import { at, world } from '../../core/harness.ts';
import { detailsOf, failure } from './support/looks.ts';

const MINUTE_MS = 60_000;

it('a zone that was down is tried again, also where every caller would rather be rejected', async () => {
  const test = await world({ offline: 'reject' });
  test.server.script.always(refused);
  const first = failure(test.queue.fetch(at('/notes'), { method: 'PUT', body: 'a' }));
  await test.clock.advanceUntil(async () => (await test.queue.health()).status === 'degraded', MINUTE_MS);
  expect((await first).ours?.code).toBe('ZONE_UNREACHABLE');
  // Nothing waits that would try the zone.
  for (const { id } of (await test.queue.find({})).requests) await test.queue.handle(id).cancel();

  test.server.script.clear();
  const outcomes: (number | string | undefined)[] = [];
  for (let minute = 0; minute < 10; minute += 1) {
    await test.clock.advance(MINUTE_MS);
    const call = test.queue.fetch(at('/notes')).then(
      ({ status }) => outcomes.push(status),
      (error: { cause: { code: string } }) => outcomes.push(error.cause.code),
    );
    await test.clock.advance(1_000);
    await call;
  }
  expect(outcomes).toContain(200);
});

it('a stored request that waits keeps a zone tried', async () => {
  const test = await world({ offline: 'rejectAndKeep' });
  test.server.script.always(refused);
  const first = failure(test.queue.fetch(at('/notes'), { method: 'PUT', body: 'a' }));
  await test.clock.advanceUntil(async () => (await test.queue.health()).status === 'degraded', MINUTE_MS);
  const { id } = detailsOf((await first).ours);
  test.server.script.clear();
  await test.clock.advance(2 * MINUTE_MS);
  expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  expect((await test.queue.fetch(at('/notes'))).status).toBe(200);
});

it('calls that are due at different times are each sent at theirs', async () => {
  const test = await world();
  const start = test.clock.now();
  const sentAt: number[] = [];
  test.queue.on('request:dispatched', () => sentAt.push(test.clock.now() - start));
  const calls = [1_000, 1_100, 1_200].map((ms) =>
    test.queue.fetch(at(`/notes/${ms}`), { method: 'POST', body: 'a', queue: { notBefore: start + ms } }),
  );
  await test.clock.advance(20_000);
  await Promise.all(calls);
  expect(sentAt).toEqual([1_000, 1_100, 1_200]);
});

it('retries of several calls each come when they are due', async () => {
  const test = await world({ retry: { baseDelayMs: 100, maxDelayMs: 1_000 } });
  test.server.script.always((request) => (request.n <= 5 ? refuse({ status: 500, body: {} }) : undefined));
  const calls = Array.from({ length: 5 }, (_, n) => test.queue.fetch(at(`/notes/${n}`)));
  const start = test.clock.now();
  let tookMs = 0;
  const done = Promise.all(calls).then(() => {
    tookMs = test.clock.now() - start;
  });
  expect(await test.clock.advanceUntil(() => tookMs > 0, 60_000)).toBe(true);
  await done;
  expect(tookMs).toBeLessThanOrEqual(1_000);
});
