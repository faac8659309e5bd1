import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import type { TestQueue, TestQueueOptions } from '../../src/testing/createTestQueue.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { at, folder, headerIn, onFile, realServer, tokenProvider, world } from './harness.ts';

function alice(test: TestQueue): ApiClient {
  return new ApiClient({ queue: test.queue, baseUrl: at(''), name: 'alice', auth: tokenProvider('alice') });
}

function sentTokens(test: TestQueue) {
  return test.server.ledger.entries.map(({ request }) => headerIn(request, 'authorization'));
}

/** A write of a client that died, replayed in a process without that client. */
async function replayed(config?: TestQueueOptions['config']): Promise<TestQueue> {
  const test = await world(config);
  test.server.script.next(refuse({ status: 422 }));
  const { id } = await alice(test).post('/notes', {}).accepted();
  await test.clock.settle();
  expect(await test.queue.get(id)).toMatchObject({ state: 'dead', client: 'alice' });
  await test.crash();
  await test.queue.deadLetters.replay({ ids: [id] });
  await test.clock.advance(60_000);
  return test;
}

describe('the replay of a client’s dead letter where that client is not', () => {
  it.each([
    [
      'whose zone has a credential of its own',
      { api: { origins: [at('')], auth: tokenProvider('service', 'service') } },
    ],
    ['whose zone has none', undefined],
  ])('waits for the client, in a queue %s', async (_, zones) => {
    const test = await replayed({ zones });
    expect(sentTokens(test)).toEqual(['Bearer alice']);
    const [waiting] = (await test.queue.find({ state: 'ready' })).requests;
    expect(waiting).toMatchObject({ client: 'alice', auth: 'zone', sender: 'client:alice' });
    alice(test);
    await test.clock.advance(60_000);
    expect(sentTokens(test)).toEqual(['Bearer alice', 'Bearer alice']);
  });

  it('is left to the process that has it', async () => {
    const path = join(await folder(), 'queue.db');
    const server = await realServer();
    server.script.next(refuse({ status: 422 }));
    const theirs = await onFile(path);
    const api = new ApiClient({ queue: theirs, baseUrl: server.origin, name: 'alice', auth: tokenProvider('alice') });
    const dead = await api.post('/notes', {}).settled();
    expect(dead).toMatchObject({ state: 'dead' });
    const ours = await onFile(path);
    await ours.deadLetters.replay({ ids: [dead.id] });
    const again = (await ours.get(dead.id))?.replayedAs ?? '';
    expect(await ours.handle(again).settled()).toMatchObject({ state: 'succeeded' });
    const tokens = server.ledger.entries.map(({ request }) => headerIn(request, 'authorization'));
    expect(tokens).toEqual(['Bearer alice', 'Bearer alice']);
  });

  it('does not pair its principal with a credential that is not its own', async () => {
    const auth = tokenProvider('service', 'service');
    const test = await world({ zones: { api: { origins: [at('')], auth } } });
    test.server.script.next(refuse({ status: 422 }));
    const dead = await test.queue.enqueue({ method: 'POST', url: at('/notes') });
    await test.clock.settle();
    auth.credential = () => ({ headers: [['authorization', 'Bearer other']], version: 2, principal: 'other' });
    await test.queue.deadLetters.replay({ ids: [dead.id] });
    await test.clock.advance(60_000);
    expect(sentTokens(test)).toEqual(['Bearer service']);
    expect((await test.queue.find({ state: 'held', reason: 'auth' })).requests).toHaveLength(1);
  });
});
