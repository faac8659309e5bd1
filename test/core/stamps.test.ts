import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import type { ResourceOptions } from '../../src/client/resourceOptions.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { applyThenReset, resetBeforeApply } from '../../src/testing/serverSteps.ts';
import type { RestApiOptions } from '../support/RestApi.ts';
import { RestApi } from '../support/RestApi.ts';
import { errorOf, world } from './harness.ts';

const STAMP: Partial<ResourceOptions> = {
  stamp: { field: 'externalId', path: (_, stamp) => `/tickets?externalId=${stamp}` },
};

async function stamped(options: Partial<ResourceOptions> = STAMP, restOptions: RestApiOptions = {}) {
  const test = await world();
  const api = new RestApi(restOptions);
  const server = test.network.serve(TEST_ORIGIN, { respond: api.respond });
  const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
  return { test, api, server, tickets: client.resource('ticket', { path: '/tickets', ...options }) };
}

describe('a stamped create', () => {
  it('whose answer was lost is found by its stamp, and its local id is what was found', async () => {
    const { test, api, server, tickets } = await stamped();
    server.script.next(applyThenReset);
    const localId = test.queue.localId('ticket');
    const { id } = await tickets.create({ title: 'a' }, { localId }).accepted();
    await tickets.update(localId, { title: 'b' }).accepted();
    await test.clock.advance(600_000);
    expect(api.all('/tickets')).toEqual([{ id: 501, title: 'b', externalId: localId.split('.')[2] }]);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
    expect(await test.queue.serverId(localId)).toBe(501);
  });

  it('that did not arrive is sent again, once', async () => {
    const { test, api, server, tickets } = await stamped();
    server.script.next(resetBeforeApply);
    const { id } = await tickets.create({ title: 'a' }).accepted();
    await test.clock.advance(600_000);
    expect(api.all('/tickets')).toMatchObject([{ title: 'a', externalId: id }]);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
  });

  it('puts the stamp where a pointer says, and leaves the body that was given as it is', async () => {
    const { test, api, tickets } = await stamped({
      stamp: { field: '/meta/ref~1id', path: (_, stamp) => `/tickets?ref=${stamp}` },
    });
    const body = { title: 'a', meta: { by: 'me' } };
    const { id } = await tickets.create(body).accepted();
    await test.clock.advance(1_000);
    expect(api.all('/tickets')).toEqual([{ id: 501, title: 'a', meta: { by: 'me', 'ref/id': id } }]);
    expect(body).toEqual({ title: 'a', meta: { by: 'me' } });
  });

  it.each([
    ['a text', 'text'],
    ['nothing', undefined],
    ['one that has the field', { externalId: 'mine' }],
    ['bytes', new Uint8Array(2)],
  ])('cannot be of %s', async (_, body) => {
    const { tickets } = await stamped();
    const error = await errorOf(tickets.create(body));
    expect(error).toMatchObject({ code: 'REQUEST_INVALID', details: { problems: [{ path: 'body' }] } });
  });

  it('is refused a local id that is none', async () => {
    const { tickets } = await stamped();
    expect(await errorOf(tickets.create({}, { localId: 'ticket' }))).toMatchObject({ code: 'REQUEST_INVALID' });
  });
});

describe('a create of what exists', () => {
  it('is decided by a function where a probe shows that it was made by somebody else', async () => {
    const seen: string[] = [];
    const { test, api, tickets } = await stamped(
      {
        ...STAMP,
        onConflict: ({ trigger, method }) => {
          seen.push(`${trigger} ${method}`);
          return { action: 'resend', body: { name: 'second' } };
        },
      },
      { unique: ['name'] },
    );
    api.edit('/tickets/9', { name: 'first' });
    const { id } = await tickets.create({ name: 'first' }).accepted();
    await test.clock.advance(600_000);
    expect(seen).toEqual(['exists POST']);
    expect(api.all('/tickets')).toMatchObject([{ id: 9 }, { id: 501, name: 'second' }]);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', progress: { generation: 2 } });
  });
});

describe('numbers that do not fit', () => {
  it('are not rounded by a resolution: a person decides', async () => {
    const { test, api, tickets } = await stamped({ version: 'etag', onConflict: 'client-wins' });
    api.edit('/tickets/9', { title: 'first' });
    await test.queue.enqueue({ method: 'GET', url: `${TEST_ORIGIN}/tickets/9` });
    const body = '{"title":"mine","big":12345678901234567891}';
    const headers = { 'content-type': 'application/merge-patch+json', 'if-match': '"stale"' };
    const base = { title: 'first', big: 1, same: true };
    const call = tickets.update(9, body, { headers, base });
    const { id } = await call.accepted();
    await test.clock.advance(600_000);
    const record = await test.queue.get(id);
    expect(record?.content.body).toBe(body);
    expect(record).toMatchObject({ state: 'succeeded' });
    const equal = tickets.update(9, '{"big":12345678901234567890,"title":"mine"}', {
      headers,
      base: { title: 'mine' },
    });
    const { id: other } = await equal.accepted();
    await test.clock.advance(600_000);
    expect(await test.queue.get(other)).toMatchObject({ state: 'held', reason: 'conflict' });
  });
});
