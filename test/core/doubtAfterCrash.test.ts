import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { byNaturalKey } from '../../src/queue/core/probeKits/byNaturalKey.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { RestApi } from '../support/RestApi.ts';
import { at, world } from './harness.ts';

const MINUTE_MS = 60_000;

/** A process that dies before what it sent last is settled. */
async function dying(config: Parameters<typeof world>[0] = {}) {
  const test = await world(config);
  const api = new RestApi();
  const server = test.network.serve(TEST_ORIGIN, { respond: api.respond });
  const sent = (): string[] => server.ledger.entries.map(({ request }) => `${request.method} ${request.path}`);
  return { test, api, sent };
}

describe('what a process did not live to settle', () => {
  it('is looked for where it was sent, not at the local id it was accepted with', async () => {
    const probe = byNaturalKey({ path: ({ content }) => `${content.path}?mark=m`, match: ['mark'] });
    const { test, api, sent } = await dying({ zones: { api: { origins: [TEST_ORIGIN], probe } } });
    test.network.online = false;
    const ticket = test.queue.localId('ticket');
    await test.queue.enqueue({ method: 'POST', url: at('/tickets'), body: {} }, { localId: ticket });
    const note = await test.queue.enqueue({ method: 'POST', url: at(`/tickets/${ticket}/notes`), body: { mark: 'm' } });
    const stopped = test.stopAt('settle:beforeCommit', 2);
    test.network.online = true;
    await test.clock.advance(2 * MINUTE_MS);
    await stopped;
    await test.crash();
    await test.clock.advance(5 * MINUTE_MS);
    expect(sent()).toEqual(['POST /tickets', 'POST /tickets/501/notes', 'GET /tickets/501/notes?mark=m']);
    expect(api.all('/tickets/501/notes')).toEqual([{ id: 502, mark: 'm' }]);
    expect(await test.queue.get(note.id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
  });

  it('is sent again for the version it was made for, not on top of itself', async () => {
    const { test, api } = await dying();
    api.edit('/tickets/7', { title: 'a' });
    const tickets = () => {
      const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
      return client.resource('ticket', { path: '/tickets', version: 'etag', onConflict: 'merge' });
    };
    const options = { etag: '"v1"', base: { title: 'a' } };
    const stopped = test.stopAt('settle:beforeCommit');
    const { id } = await tickets().update(7, { title: 'b' }, options).accepted();
    await stopped;
    await test.crash();
    const second = await tickets().update(7, { title: 'c' }, options).accepted();
    await test.clock.advance(5 * MINUTE_MS);
    expect(api.changes.map(({ body }) => body)).toEqual(['{"title":"b"}', '{"title":"c"}']);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
    expect(await test.queue.get(second.id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
  });
});
