import { describe, expect, it } from 'vitest';
import { park } from '../../src/testing/serverSteps.ts';
import { at, headerIn, world } from './harness.ts';

/** Two credentials that claim one principal: nobody checks the signature on the way in. */
function token(signature: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `Bearer ${part({ alg: 'HS256' })}.${part({ iss: 'https://id.test', sub: 'alice' })}.${signature}`;
}

const ALICE = token('good');
const MALLORY = token('forged');

function by(authorization: string, method: string, path: string) {
  const body = method === 'GET' ? undefined : 'x';
  return { method, url: at(path), headers: { authorization }, body };
}

describe('a caller who only claims a principal', () => {
  it('is not given the answer to a read of another in flight, and one with the same credential is', async () => {
    const test = await world();
    test.server.script.next(park);
    const first = test.queue.call(by(ALICE, 'GET', '/me'));
    await test.clock.settle();
    const same = test.queue.call(by(ALICE, 'GET', '/me'));
    const other = test.queue.call(by(MALLORY, 'GET', '/me'));
    const { id } = await first.accepted();
    expect(await same.accepted()).toMatchObject({ id, deduplicated: true });
    expect((await other.accepted()).id).not.toBe(id);
    await test.clock.settle();
    test.server.release();
    await test.clock.settle();
    const tokens = test.server.ledger.entries.map(({ request }) => headerIn(request, 'authorization'));
    expect(tokens).toEqual([ALICE, MALLORY]);
  });

  it('does not share a read where one principal is configured for all', async () => {
    const test = await world({ principal: 'bff' });
    test.queue.pause();
    const reads = ['Bearer one', 'Bearer two', 'Bearer one'].map((one) => test.queue.call(by(one, 'GET', '/me')));
    const [one, two, again] = await Promise.all(reads.map((read) => read.accepted()));
    expect(two?.id).not.toBe(one?.id);
    expect(again?.id).toBe(one?.id);
  });

  it('does not join a waiting write of another, and one with the same credential does', async () => {
    const test = await world({ dedupeWindowMs: 60_000 });
    test.queue.pause();
    for (const method of ['PUT', 'POST']) {
      const { id } = await test.queue.enqueue(by(ALICE, method, '/door'));
      expect((await test.queue.enqueue(by(ALICE, method, '/door'))).id).toBe(id);
      expect((await test.queue.enqueue(by(MALLORY, method, '/door'))).id).not.toBe(id);
    }
  });

  it('does not join what the other left behind, whose own retry does', async () => {
    const test = await world();
    test.server.script.next(park);
    const gone = new AbortController();
    const left = test.queue.call(by(ALICE, 'POST', '/notes'), { signal: gone.signal });
    left.settled().catch(() => undefined); // it is told of its own abort
    await test.clock.settle();
    gone.abort();
    await test.clock.settle();
    const { id } = await left.accepted();
    expect((await test.queue.call(by(MALLORY, 'POST', '/notes')).accepted()).id).not.toBe(id);
    expect((await test.queue.call(by(ALICE, 'POST', '/notes')).accepted()).id).toBe(id);
  });

  it('leaves nothing in doubt that ended in the moment its caller left: the retry joins it', async () => {
    const test = await world();
    test.server.script.next(park);
    const gone = new AbortController();
    const left = test.queue.call(by(ALICE, 'POST', '/notes'), { signal: gone.signal });
    left.settled().catch(() => undefined); // it is told of its own abort
    await test.clock.settle();
    test.server.release();
    gone.abort();
    await test.clock.settle();
    const { id } = await left.accepted();
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
    expect((await test.queue.call(by(ALICE, 'POST', '/notes')).accepted()).id).toBe(id);
  });

  it('may repeat a call with a key under a newer credential', async () => {
    const test = await world();
    test.queue.pause();
    const { id } = await test.queue.enqueue(by(token('old'), 'POST', '/notes'), { key: 'k' });
    expect((await test.queue.enqueue(by(token('new'), 'POST', '/notes'), { key: 'k' })).id).toBe(id);
  });
});
