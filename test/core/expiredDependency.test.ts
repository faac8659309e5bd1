import { expect, it } from 'vitest';
import { at, record, world } from './harness.ts';

// C10: copy next to test/core/harness.ts to run
it('holds what follows a request that expired, tells its caller, and says so', async () => {
  const test = await world();
  const events = record(test.queue, 'request:held');
  test.queue.pause();
  const post = (body: unknown) => ({ method: 'POST', url: at('/log'), body });
  const first = await test.queue.enqueue(post('1'), { deadline: test.clock.now() + 1_000 });
  const told = test.queue.call(post('2'), { after: [first.id] }).settled();
  await test.clock.advance(10_000);
  expect(await told).toMatchObject({ state: 'held', reason: 'dependency', error: { code: 'REQUEST_HELD' } });
  expect(events).toMatchObject([{ reason: 'dependency' }]);
});
