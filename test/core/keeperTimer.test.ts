import { describe, expect, it, onTestFinished } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { unavailable } from '../../src/testing/serverSteps.ts';
import { call, MINUTE_MS } from './support/queues.ts';

describe('a look at due times that fails', () => {
  it('does not take along the timer of what was scheduled meanwhile', async () => {
    const clock = new FakeClock();
    const network = new FakeNetwork({ clock });
    onTestFinished(() => network.close());
    const server = network.serve('https://api.test');
    let fail: (() => void) | undefined;
    let isSlow = false;
    const backend = hookBackend(new MemoryBackend(), {
      before: (verb) => {
        if (verb !== 'expire' || !isSlow) return undefined;
        isSlow = false;
        return new Promise<never>((_, reject) => {
          fail = () => reject(new HoldfastError('BACKEND_UNAVAILABLE', 'busy', {}));
        });
      },
    });
    const queue = new QueueManager({ clock, random: seededRandom(1), backend, transport: network });
    await queue.start();
    onTestFinished(() => queue.close());
    server.script.next(unavailable());
    const deadline = call(queue, 'POST', '/later', {}, { notBefore: clock.now() + 2_000 });
    await clock.settle();
    isSlow = true;
    expect(await clock.advanceUntil(() => fail !== undefined, MINUTE_MS)).toBe(true);
    // The look hangs; what comes now is answered 503 and scheduled, and its timer fires into the look.
    const retried = call(queue, 'PUT', '/notes');
    await clock.advance(3_000);
    fail?.();
    await clock.advance(5 * MINUTE_MS);
    expect(retried.told()).toMatchObject({ state: 'succeeded' });
    expect(deadline.told()).toMatchObject({ state: 'succeeded' });
  });
});
