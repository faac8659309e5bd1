import { describe, expect, it } from 'vitest';
import { park } from '../../src/testing/serverSteps.ts';
import { applied, arrived, drained, start, url } from './support.ts';

const OPEN = { status: 'open' };
const CLOSED = { status: 'closed' };

describe('writes to one path', () => {
  it('end as the last of them says: open, closed, open ends open', async () => {
    const test = await start();
    test.network.online = false;
    for (const body of [OPEN, CLOSED, OPEN]) {
      await test.queue.enqueue({ method: 'PUT', url: url('/tickets/1'), body });
    }
    test.network.online = true;
    expect(await drained(test)).toBe(true);
    expect(applied(test).at(-1)).toBe(`PUT /tickets/1 ${JSON.stringify(OPEN)}`);
    expect(applied(test)).toContain(`PUT /tickets/1 ${JSON.stringify(CLOSED)}`);
  });

  it('do not overtake one that hangs, while other paths go on', async () => {
    const test = await start();
    test.server.script.next(park);
    await test.queue.enqueue({ method: 'PUT', url: url('/tickets/1'), body: OPEN });
    await test.queue.enqueue({ method: 'PUT', url: url('/tickets/1'), body: CLOSED });
    await test.queue.enqueue({ method: 'PUT', url: url('/tickets/2'), body: OPEN });
    await test.clock.settle();
    expect(arrived(test)).toEqual(['PUT /tickets/1', 'PUT /tickets/2']);
    test.server.release();
    await test.clock.settle();
    expect(arrived(test)).toEqual(['PUT /tickets/1', 'PUT /tickets/2', 'PUT /tickets/1']);
  });
});

describe('a read', () => {
  it('asked after a write to its path is answered from after it', async () => {
    const test = await start();
    let value = 'old';
    const server = test.network.serve('https://values.test', {
      respond: ({ method, body }) => {
        if (method === 'PUT') value = body;
        return { status: 200, body: value };
      },
    });
    const input = { url: 'https://values.test/value' };
    server.script.next(park);
    const first = test.queue.call({ method: 'GET', ...input });
    await test.clock.settle();
    const put = test.queue.call({ method: 'PUT', ...input, body: 'new' });
    const second = test.queue.call({ method: 'GET', ...input });
    const text = async (handle: typeof first): Promise<string> =>
      new TextDecoder().decode((await handle.settled()).response?.body);
    const answers = Promise.all([text(first), put.settled(), text(second)]);
    await test.clock.settle();
    server.release();
    await drained(test);
    expect((await answers)[2]).toBe('new');
    expect(server.ledger.entries.filter((entry) => entry.outcome === 'read')).toHaveLength(2);
  });

  it('joins an equal one that is under way', async () => {
    const test = await start();
    test.server.script.next(park);
    const first = test.queue.call({ method: 'GET', url: url('/notes') }).settled();
    await test.clock.settle();
    const second = test.queue.call({ method: 'GET', url: url('/notes') }).settled();
    await test.clock.settle();
    test.server.release();
    expect((await second).response?.body).toEqual((await first).response?.body);
    expect(arrived(test)).toEqual(['GET /notes']);
  });

  it('does not join one that differs in Accept', async () => {
    const test = await start();
    test.server.script.always(park);
    for (const accept of ['application/json', 'text/csv']) {
      void test.queue.call({ method: 'GET', url: url('/notes'), headers: { accept } }).settled();
    }
    await test.clock.settle();
    expect(arrived(test)).toEqual(['GET /notes', 'GET /notes']);
    test.server.release();
    await drained(test);
  });
});

describe('two equal POSTs', () => {
  const note = { method: 'POST', url: url('/notes'), body: { text: 'hi' } };

  it('are two intents', async () => {
    const test = await start();
    const [one, two] = await Promise.all([test.queue.enqueue(note), test.queue.enqueue(note)]);
    expect(one.id).not.toBe(two.id);
    await drained(test);
    expect(test.server.ledger.applied('/notes')).toBe(2);
  });

  it('are one under one key', async () => {
    const test = await start();
    const one = await test.queue.enqueue(note, { key: 'k' });
    const two = await test.queue.enqueue(note, { key: 'k' });
    expect([two.id, two.deduplicated]).toEqual([one.id, true]);
    await drained(test);
    expect(test.server.ledger.applied('/notes')).toBe(1);
  });

  it('are refused under one key with other content', async () => {
    const test = await start();
    await test.queue.enqueue(note, { key: 'k' });
    const other = test.queue.enqueue({ ...note, body: { text: 'ho' } }, { key: 'k' });
    await expect(other).rejects.toMatchObject({ code: 'KEY_CONFLICT' });
    expect(await test.queue.counts()).toMatchObject({ dead: 0 });
  });

  it('are one within a dedupe window, and two after it', async () => {
    const test = await start({ config: { dedupeWindowMs: 60_000 } });
    test.network.online = false;
    const one = await test.queue.enqueue(note);
    const two = await test.queue.enqueue(note);
    await test.clock.advance(61_000);
    const three = await test.queue.enqueue(note);
    expect([two.id === one.id, three.id === one.id]).toEqual([true, false]);
    test.network.online = true;
    await drained(test);
    expect(test.server.ledger.applied('/notes')).toBe(2);
  });
});
