import { describe, expect, it } from 'vitest';
import { park } from '../../../src/testing/serverSteps.ts';
import { at, headerIn, world } from '../../core/harness.ts';
import { final, until } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';

const HONOR = { honorPrefer: true } as const;

function prefer(value: string): { method: string; body: string; headers: Record<string, string> } {
  return { method: 'POST', body: 'a', headers: { prefer: value } };
}

describe.each(STORES)('Prefer: respond-async, on %s', (store) => {
  it('is answered with a 202, and the other preferences are sent on', async () => {
    const server = await serve();
    const queue = await open(store);
    const init = { ...prefer('return=minimal, Respond-Async;x, respond-async, handling="a"'), queue: HONOR };
    const accepted = await queue.fetch(`${server.origin}/notes`, init);
    expect(accepted.status).toBe(202);
    expect(accepted.headers.get('preference-applied')).toBe('respond-async');
    expect((await final(queue, accepted.headers.get('location') ?? '')).status).toBe(201);
    const [entry] = server.ledger.entries;
    expect(entry && headerIn(entry.request, 'prefer')).toBe('return=minimal, Respond-Async;x, handling="a"');
  });

  it('is sent on untouched where it is not honoured', async () => {
    const server = await serve();
    const queue = await open(store);
    const value = 'respond-async, wait=5, return=minimal';
    const response = await queue.fetch(`${server.origin}/notes`, prefer(value));
    expect([response.status, response.headers.get('preference-applied')]).toEqual([201, null]);
    const [entry] = server.ledger.entries;
    expect(entry && headerIn(entry.request, 'prefer')).toBe(value);
  });

  it('waits as long as the caller would, and is given the answer in that time', async () => {
    const server = await serve();
    server.script.next(park);
    const queue = await open(store);
    const init = { ...prefer('respond-async, wait=30'), queue: HONOR };
    const call = queue.fetch(`${server.origin}/notes`, init);
    await until(() => server.parked === 1, 'it arrives');
    server.release();
    const response = await call;
    expect([response.status, await response.json()]).toEqual([201, { n: 1, method: 'POST', path: '/notes' }]);
    const [entry] = server.ledger.entries;
    expect(entry && headerIn(entry.request, 'prefer')).toBeUndefined();
  });

  it('has a 202 once that time is over', async () => {
    const server = await serve();
    server.script.next(park);
    const queue = await open(store);
    const accepted = await queue.fetch(`${server.origin}/notes`, { ...prefer('wait=1, respond-async'), queue: HONOR });
    expect(accepted.status).toBe(202);
    server.release();
    expect((await final(queue, accepted.headers.get('location') ?? '')).status).toBe(201);
    expect(server.ledger.applied('/notes')).toBe(1);
  });
});

describe('the time a caller would wait', () => {
  it('is honoured to the second', async () => {
    const test = await world(HONOR);
    test.queue.pause();
    let status: number | undefined;
    const call = test.queue.fetch(at('/notes'), prefer('respond-async, wait=5')).then((response) => {
      status = response.status;
    });
    await test.clock.advance(4_999);
    expect(status).toBeUndefined();
    await test.clock.advance(1);
    await call;
    expect(status).toBe(202);
  });

  it('says nothing without respond-async', async () => {
    const test = await world(HONOR);
    const response = await test.queue.fetch(at('/notes'), prefer('wait=0, return=minimal'));
    expect(response.status).toBe(201);
    const [entry] = test.server.ledger.entries;
    expect(entry && headerIn(entry.request, 'prefer')).toBe('wait=0, return=minimal');
  });

  it.each(['respond-async, wait=0', 'respond-async,wait=0', 'respond-async', 'respond-async, wait=never'])(
    'may be none: %s',
    async (value) => {
      const test = await world(HONOR);
      expect((await test.queue.fetch(at('/notes'), prefer(value))).status).toBe(202);
    },
  );

  it('may be years', async () => {
    const server = await serve();
    const queue = await open('memory', HONOR);
    const call = queue.fetch(`${server.origin}/notes`, prefer('respond-async, wait=999999999'));
    expect((await call).status).toBe(201);
  });
});
