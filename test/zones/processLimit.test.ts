import { describe, expect, it } from 'vitest';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { park } from '../../src/testing/serverSteps.ts';
import { world } from '../core/harness.ts';

const OTHER = 'https://other.test';

describe('the limit of a process on all its calls', () => {
  it('keeps a zone from none of the permits that another gives back', async () => {
    const test = await world({
      maxConcurrency: 2,
      zones: { api: { origins: [TEST_ORIGIN] }, other: { origins: [OTHER] } },
    });
    const other = test.network.serve(OTHER);
    test.server.script.always(park);
    for (let n = 0; n < 2; n += 1)
      await test.queue.enqueue({ method: 'POST', url: `${TEST_ORIGIN}/things`, body: { n } });
    for (let n = 0; n < 5; n += 1) await test.queue.enqueue({ method: 'POST', url: `${OTHER}/things`, body: { n } });
    await test.clock.settle();
    expect([test.server.parked, other.ledger.applied()]).toEqual([2, 0]);
    test.server.release();
    await test.clock.settle();
    expect(other.ledger.applied()).toBe(5);
  });
});
