import { describe, expect, it } from 'vitest';
import type { Credential } from '../../src/queue/types/auth.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { at, deferred, headerIn, world } from './harness.ts';

const post = { method: 'POST', url: at('/notes'), body: 'x' };

function of(user: string, principal?: string): Credential {
  return { headers: [['authorization', `Bearer ${user}`]], version: 1, principal };
}

function sentTokens(test: TestQueue) {
  return test.server.ledger.entries.map(({ request }) => headerIn(request, 'authorization'));
}

describe('a principal declared by a function', () => {
  it('that changes while the credential is awaited does not send one user’s request as the other', async () => {
    let user = 'bob';
    const token = deferred<Credential>();
    const tokens: (Credential | Promise<Credential>)[] = [];
    const auth = { credential: () => tokens.shift() ?? of(user) };
    const test = await world({ principal: () => user, zones: { api: { origins: [at('')], auth } } });
    test.queue.pause();
    const { id } = await test.queue.enqueue(post);
    user = 'alice';
    tokens.push(token.promise);
    test.queue.resume();
    await test.clock.settle();
    user = 'bob';
    token.resolve(of('alice'));
    await test.clock.settle();
    expect(sentTokens(test)).toEqual(['Bearer bob']);
    expect(await test.queue.get(id)).toMatchObject({ principal: 'bob', state: 'succeeded' });
  });

  it('does not make the credential that names another principal its own', async () => {
    const auth = { credential: () => of('alice', 'alice') };
    const test = await world({ principal: () => 'bob', zones: { api: { origins: [at('')], auth } } });
    const { id } = await test.queue.enqueue(post);
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ principal: 'bob', state: 'held', reason: 'auth' });
    expect(sentTokens(test)).toEqual([]);
  });

  it('is not asked for where the provider tells whose its credential is', async () => {
    let user: string | undefined = 'ann';
    const principal = () => {
      if (user === undefined) throw new Error('nobody’s turn');
      return user;
    };
    const auth = { credential: () => of('ann', 'ann') };
    const test = await world({ principal, zones: { api: { origins: [at('')], auth } } });
    test.queue.pause();
    await test.queue.enqueue(post);
    user = undefined;
    test.queue.resume();
    await test.clock.settle();
    expect(sentTokens(test)).toEqual(['Bearer ann']);
  });

  it('is paired with the name a call gives, as any credential is', async () => {
    const auth = { credential: () => of('ann', 'ann') };
    const test = await world({ principal: () => 'ann', zones: { api: { origins: [at('')], auth } } });
    const { id } = await test.queue.enqueue(post, { principal: 'tenant 7' });
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ principal: 'tenant 7', state: 'succeeded' });
  });
});
