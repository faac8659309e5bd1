import { expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { RestApi } from '../support/RestApi.ts';
import { world } from './harness.ts';

it.each([
  ['sets', { size: 3 }, { title: 'a', size: 3 }],
  ['removes', { size: null }, { title: 'a' }],
] as const)('a change %s what an own write made on no version has set before', async (_, last, left) => {
  const test = await world();
  const api = new RestApi();
  test.network.serve(TEST_ORIGIN, { respond: api.respond });
  const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
  const tickets = client.resource('ticket', { path: '/tickets', version: 'etag', onConflict: 'merge' });
  const ticket = test.queue.localId('ticket');
  await tickets.create({ title: 'a' }, { localId: ticket }).accepted();
  await test.clock.advance(1_000);
  await tickets.update(501, { size: 1 }).accepted();
  await tickets.update(501, { size: 2 }).accepted();
  const { id } = await tickets.update(ticket, last).accepted();
  await test.clock.advance(60_000);
  expect(api.at('/tickets/501')).toEqual({ id: 501, ...left });
  expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
});
