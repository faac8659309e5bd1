import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import type { ServerStep } from '../../src/testing/serverSteps.ts';
import { applyThenReset, park } from '../../src/testing/serverSteps.ts';
import { RestApi } from '../support/RestApi.ts';
import { arrivals, at, deferred } from './harness.ts';

/** A queue whose next call of `get` is answered when the test says so. */
async function stage() {
  const clock = new FakeClock();
  const network = new FakeNetwork({ clock });
  const api = new RestApi();
  const server = network.serve(TEST_ORIGIN, { respond: api.respond });
  const gate: { next: Promise<void> | undefined } = { next: undefined };
  const backend = hookBackend(new MemoryBackend(), {
    before: (verb) => {
      if (verb !== 'get') return undefined;
      const { next } = gate;
      gate.next = undefined;
      return next;
    },
  });
  const queue = new QueueManager({ clock, transport: network, backend });
  await queue.start();
  onTestFinished(async () => {
    const closing = queue.close();
    await clock.advance(20_000);
    await closing;
  });
  return { clock, api, server, gate, queue };
}

describe('a change of what is being made', () => {
  it.each<[how: string, step: ServerStep]>([
    ['the server gives the id', park],
    ['a person gives the id', applyThenReset],
  ])('goes before later ones, also where %s while the change is being accepted', async (_, step) => {
    const { clock, api, server, gate, queue } = await stage();
    const local = queue.localId('ticket');
    server.script.next(step);
    const made = await queue.enqueue({ method: 'POST', url: at('/tickets'), body: { n: 0 } }, { localId: local });
    await clock.settle();
    // Who gives the id is asked for after it was looked up whether it is known.
    const looking = deferred<void>();
    gate.next = looking.promise;
    const put = (n: number) => queue.enqueue({ method: 'PUT', url: at(`/tickets/${local}`), body: { n } });
    const first = put(1);
    await clock.settle();
    if (step === park) server.release();
    else await queue.held.resolve(made.id, 'markApplied', 'ann', { serverId: 501 });
    await clock.settle();
    expect(await queue.serverId(local)).toBe(501);
    server.script.next(park);
    looking.resolve();
    await first;
    await clock.settle();
    await put(2);
    await clock.settle();
    expect(arrivals(server)).toEqual(['POST /tickets {"n":0}', 'PUT /tickets/501 {"n":1}']);
    server.release();
    await clock.advance(1_000);
    expect(arrivals(server).at(-1)).toBe('PUT /tickets/501 {"n":2}');
    expect(api.at('/tickets/501')).toEqual({ id: 501, n: 2 });
  });
});
