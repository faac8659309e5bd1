import { ApiClient } from '../../../src/client/ApiClient.ts';
import type { ResourceOptions } from '../../../src/client/resourceOptions.ts';
import type { Settled } from '../../../src/queue/types/calls.ts';
import type { Json } from '../../../src/queue/types/request.ts';
import type { TestQueue } from '../../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';
import type { FakeServer } from '../../../src/testing/FakeServer.ts';
import type { RestApiOptions } from '../../support/RestApi.ts';
import { RestApi } from '../../support/RestApi.ts';
import { world } from '../harness.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const TICKET = '/tickets/7';

/** A queue that is offline, an API with one ticket, and tickets as a resource whose changes become one. */
export async function tickets(
  options: Partial<ResourceOptions> = {},
  restOptions: RestApiOptions = {},
  config: Parameters<typeof world>[0] = {},
) {
  const test = await world(config);
  const api = new RestApi(restOptions);
  const server: FakeServer = test.network.serve(TEST_ORIGIN, { respond: api.respond });
  api.edit(TICKET, { title: 'a', note: 'n', count: 0 });
  const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
  const resource = client.resource('ticket', { path: '/tickets', version: 'etag', squash: true, ...options });
  const read = async (): Promise<void> => {
    const got = resource.get(7).then(() => undefined);
    await test.clock.settle();
    await got;
  };
  await read();
  test.network.online = false;
  test.queue.pause();
  const online = async (ms = 10 * MINUTE_MS): Promise<void> => {
    test.network.online = true;
    test.queue.resume();
    await test.clock.advance(ms);
  };
  return { test, api, server, client, resource, read, online };
}

/** What was sent to change something. */
export function writes(server: FakeServer): string[] {
  return server.ledger.entries
    .filter(({ request }) => request.method !== 'GET')
    .map(({ request }) => {
      const match = request.headers.find(([name]) => name === 'if-match')?.[1] ?? '-';
      return `${request.method} ${request.path} ${match} ${request.body}`.trim();
    });
}

export async function statesOf(test: TestQueue, ...ids: readonly string[]) {
  return Promise.all(ids.map(async (id) => (await test.queue.get(id))?.state));
}

/** What a caller is told, as far as it says what became of its call. */
export function told({ state, reason, response }: Settled): unknown {
  const text = response === undefined ? undefined : Buffer.from(response.body).toString();
  return [state, reason, response?.status, text === undefined || text === '' ? undefined : (JSON.parse(text) as Json)];
}
