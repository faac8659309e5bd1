import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { at, folder, headerIn, onFile, realServer, tokenProvider, world } from './harness.ts';

describe('a process', () => {
  it('does not send what is for a zone it does not know, and explains why', async () => {
    const server = await realServer();
    const path = `${await folder()}/q.db`;
    const zones = { billing: { origins: [server.origin] } };
    const first = await onFile(path, { zones, dispatch: false });
    const { id } = await first.enqueue({ method: 'POST', url: `${server.origin}/a`, body: 'x' });
    await first.close();

    const stranger = await onFile(path);
    await stranger.enqueue({ method: 'POST', url: `${server.origin}/b`, body: 'y' });
    await stranger.idle({ zone: server.origin });
    expect(await stranger.get(id)).toMatchObject({ state: 'ready', zone: 'billing' });
    expect(await stranger.explain(id)).toMatchObject({
      waitsFor: [{ what: 'zoneUnknown', of: 'billing', until: null }],
    });
    await stranger.close();
    expect(server.ledger.entries.map(({ request }) => request.path)).toEqual(['/b']);

    const known = await onFile(path, { zones });
    expect(await known.handle(id).settled()).toMatchObject({ state: 'succeeded' });
  });

  it('sends what needs a client once a client of that name is constructed', async () => {
    const server = await realServer();
    const path = `${await folder()}/q.db`;
    const baseUrl = `${server.origin}/v1`;
    const first = await onFile(path, { dispatch: false });
    const before = new ApiClient({ queue: first, baseUrl, name: 'notes', auth: tokenProvider('t', 'ann') });
    const { id } = await before.post('/a', {}).accepted();
    await first.close();

    const second = await onFile(path);
    const other = new ApiClient({ queue: second, baseUrl, name: 'other', auth: tokenProvider('o', 'bob') });
    await other.post('/b', {});
    expect(await second.get(id)).toMatchObject({ state: 'ready', sender: 'client:notes' });
    expect((await second.explain(id)).waitsFor).toEqual([{ what: 'client', of: 'notes', until: null }]);
    const settled = second.handle(id).settled();
    const make = () => new ApiClient({ queue: second, baseUrl, name: 'notes', auth: tokenProvider('t', 'ann') });
    make();
    expect(await settled).toMatchObject({ state: 'succeeded' });
    expect(server.ledger.entries.map(({ request }) => headerIn(request, 'authorization'))).toEqual([
      'Bearer o',
      'Bearer t',
    ]);
    expect(make).toThrow('notes');
  });

  it('sends what waits for a zone made from an origin without having met it', async () => {
    const server = await realServer();
    const path = `${await folder()}/q.db`;
    const first = await onFile(path, { dispatch: false });
    const { id } = await first.enqueue({ method: 'POST', url: `${server.origin}/a`, body: 'x' });
    await first.close();
    const second = await onFile(path);
    expect(await second.handle(id).settled()).toMatchObject({ state: 'succeeded' });
  });
});

describe('dispatch: false', () => {
  it('accepts, looks and decides, and never claims', async () => {
    const test = await world({ dispatch: false });
    const one = await test.queue.enqueue({ method: 'POST', url: at('/a'), body: 'x' });
    const read = test.queue.call({ method: 'GET', url: at('/a') });
    await read.accepted();
    await test.clock.advance(60_000);
    expect(test.server.ledger.entries).toEqual([]);
    expect(await test.queue.counts()).toMatchObject({ ready: 2, sending: 0 });
    expect((await test.queue.explain(one.id)).waitsFor).toContainEqual({ what: 'dispatch', of: 'queue', until: null });
    expect(await one.cancel()).toBe(true);
  });

  it('expires and resolves what another process left', async () => {
    const test = await world({ dispatch: false });
    const due = await test.queue.enqueue({ method: 'POST', url: at('/a') }, { deadline: test.clock.now() + 1_000 });
    const after = await test.queue.enqueue({ method: 'POST', url: at('/b') }, { notBefore: test.clock.now() + 1_000 });
    await test.clock.advance(10_000);
    expect(await test.queue.get(due.id)).toMatchObject({ state: 'dead', reason: 'expired' });
    expect((await test.queue.get(after.id))?.state).not.toBe('sending');
    expect(test.server.ledger.entries).toEqual([]);
  });

  it('leaves its work to a process that sends', async () => {
    const server = await realServer();
    const path = `${await folder()}/q.db`;
    const asking = await onFile(path, { dispatch: false });
    await using sending = new QueueManager({ config: { backend: { kind: 'sqlite', path } } });
    await sending.start();
    const calls = Array.from({ length: 20 }, (_, n) =>
      asking.call({ method: 'POST', url: `${server.origin}/a`, body: `${n}` }).settled(),
    );
    expect((await Promise.all(calls)).map(({ state }) => state)).toEqual(Array(20).fill('succeeded'));
    expect(server.ledger.applied()).toBe(20);
  });
});
