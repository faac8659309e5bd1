import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../../src/index.ts';
import type { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import { applyThenReset, park } from '../../../src/testing/serverSteps.ts';
import { headerIn } from '../../core/harness.ts';
import { DIST } from '../../processes/support/child.ts';
import { arrivals, rejection, soon, until } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';

const INVOCATION = { 'amz-sdk-invocation-id': '8f14e45f-ceea-467f-a9be-1b2c3d4e5f60' };
const PROBES = fileURLToPath(new URL('./support/probes.mjs', import.meta.url));
const LIMIT_MS = 100_000;

function bearer(who: string): Record<string, string> {
  return { ...INVOCATION, authorization: `Bearer token-of-${who}` };
}

/** As an SDK signs one try of a call. */
function signed(key: string, attempt: number): Record<string, string> {
  const scope = `${key}/20250101/eu-central-1/s3/aws4_request`;
  const signature = `${attempt}`.repeat(64);
  return {
    ...INVOCATION,
    'amz-sdk-request': `attempt=${attempt}; max=3`,
    'x-amz-date': `20250101T00000${attempt}Z`,
    authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=${signature}`,
  };
}

/** Tells everybody who they are. */
function serveNames(): Promise<ScriptedServer> {
  return serve({
    keyHeader: null,
    respond: (request) => ({ status: 200, body: `for ${headerIn(request, 'authorization')}` }),
  });
}

function write(queue: QueueManager, server: ScriptedServer, headers: Record<string, string>, signal?: AbortSignal) {
  return queue.fetch(`${server.origin}/charges`, { method: 'POST', body: 'same', headers, ...(signal && { signal }) });
}

/** Makes a call that its caller leaves once it has arrived; its answer waits. */
async function abandon(queue: QueueManager, server: ScriptedServer, headers: Record<string, string>): Promise<void> {
  server.script.next(park);
  const abort = new AbortController();
  const call = write(queue, server, headers, abort.signal);
  await until(() => server.parked === 1, 'it arrives');
  abort.abort(new Error('left'));
  await rejection(call);
}

describe.each(STORES)('one invocation id, on %s,', (store) => {
  it('of two bearers shares no answer that was left behind', async () => {
    const server = await serveNames();
    const queue = await open(store);
    await abandon(queue, server, bearer('alice'));
    const response = await soon(write(queue, server, bearer('bob')), 'the answer to bob');
    expect(await response.text()).toBe('for Bearer token-of-bob');
    server.release();
    await until(async () => (await queue.counts()).succeeded === 2, 'both end');
    expect(server.ledger.applied('/charges')).toBe(2);
  });

  it('of two bearers shares none that has ended', async () => {
    const server = await serveNames();
    const queue = await open(store);
    await abandon(queue, server, bearer('alice'));
    server.release();
    await until(async () => (await queue.counts()).succeeded === 1, 'it ends');
    const response = await soon(write(queue, server, bearer('bob')), 'the answer to bob');
    expect(await response.text()).toBe('for Bearer token-of-bob');
    expect(server.ledger.applied('/charges')).toBe(2);
  });

  it('of two bearers shares no read', async () => {
    const server = await serveNames();
    const queue = await open(store);
    const read = async (who: string) => (await queue.fetch(server.origin, { headers: bearer(who) })).text();
    const answers = await soon(Promise.all([read('alice'), read('bob')]), 'both answers');
    expect(answers).toEqual(['for Bearer token-of-alice', 'for Bearer token-of-bob']);
  });

  it('signed anew with the same key joins the call it left', async () => {
    const server = await serveNames();
    const queue = await open(store);
    await abandon(queue, server, signed('AKIAFIRST', 1));
    const retry = write(queue, server, signed('AKIAFIRST', 2));
    await until(async () => (await queue.health()).waitingCallers === 1, 'the retry waits');
    server.release();
    expect(await (await soon(retry, 'the answer')).text()).toContain(`Signature=${'1'.repeat(64)}`);
    expect(server.ledger.applied('/charges')).toBe(1);
    expect(server.ledger.entries.length).toBe(1);
  });

  it('signed with another key does not', async () => {
    const server = await serveNames();
    const queue = await open(store);
    await abandon(queue, server, signed('AKIAFIRST', 1));
    const response = await soon(write(queue, server, signed('AKIAOTHER', 2)), 'the answer');
    expect(await response.text()).toContain('Credential=AKIAOTHER/');
    server.release();
    await until(async () => (await queue.counts()).succeeded === 2, 'both end');
    expect(server.ledger.applied('/charges')).toBe(2);
  });

  it('signed with the same key is another call with another id or body', async () => {
    const server = await serveNames();
    const queue = await open(store);
    await abandon(queue, server, signed('AKIAFIRST', 1));
    const other = { ...signed('AKIAFIRST', 2), 'amz-sdk-invocation-id': 'another' };
    await soon(write(queue, server, other), 'another id');
    const init = { method: 'POST', body: 'other', headers: signed('AKIAFIRST', 2) };
    await soon(queue.fetch(`${server.origin}/charges`, init), 'another body');
    expect(server.ledger.applied('/charges')).toBe(3);
  });
});

it('a fetch in the place of the platform that knows no dispatchers sends no write twice', {}, async () => {
  const server = await serve({ keyHeader: null });
  server.script.always(({ path }) => (path === '/reset' ? applyThenReset : undefined));
  const args = [PROBES, DIST, 'underFetchWithoutDispatchers', server.origin];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS });
  const { found } = JSON.parse(stdout);
  expect(found).toMatchObject({
    write: ['fetch failed', expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/), 'OUTCOME_UNKNOWN'],
    patch: ['fetch failed', expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/), 'OUTCOME_UNKNOWN'],
    answered: 201,
    read: expect.stringMatching(/^200 /),
    joined: [200, 200],
  });
  const writes = arrivals(server).filter((one) => !one.startsWith('GET '));
  expect(writes.map((one) => one.split(' ').slice(0, 2).join(' '))).toEqual([
    'POST /reset',
    'PATCH /reset',
    'POST /write',
  ]);
});
