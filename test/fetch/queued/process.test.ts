import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { DIST } from '../../processes/support/child.ts';
import { until } from './support/looks.ts';
import { serve } from './support/queues.ts';

const PROBES = fileURLToPath(new URL('./support/probes.mjs', import.meta.url));
const LIMIT_MS = 100_000;

/** Runs a probe in a process of its own, which must end by itself. */
async function probe(what: string, origin: string): Promise<{ found: unknown; warnings: string[] }> {
  const args = ['--expose-gc', PROBES, DIST, what, origin];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS });
  return JSON.parse(stdout);
}

describe('a process', () => {
  it('finds nothing of 2,000 fetches on a signal they shared', async () => {
    const server = await serve();
    const { found } = await probe('signals', server.origin);
    const { warnings } = found as { warnings: string[] };
    expect(warnings).toEqual([]);
    const { reads, writes, native } = found as Record<'reads' | 'writes' | 'native', { left: number; most: number }>;
    // The frame that made the last one may still hold it.
    expect(reads.left + writes.left).toBeLessThanOrEqual(2);
    // Each is collected when the collector comes, as with the platform's own.
    expect(Math.max(reads.most, writes.most)).toBeLessThanOrEqual(5 * native.most);
  });

  it('ends soon after its queue is closed', async () => {
    const server = await serve();
    const { found } = await probe('closing', server.origin);
    expect((found as { livedOnMs: number }).livedOnMs).toBeLessThan(3_000);
    await until(async () => server.listening, 'the server is there');
  });
});

describe('in place of the global fetch', () => {
  it('a queue sends by the platform', async () => {
    const server = await serve();
    const { found } = await probe('asGlobalFetch', server.origin);
    expect(found).toEqual({
      isSame: true,
      global: '201 {"n":1,"method":"POST","path":"/global"}',
      queued: '201 {"n":2,"method":"POST","path":"/queued"}',
      bypass: '201 {"n":3,"method":"POST","path":"/past"}',
      data: '200 data',
      joined: '200 {"n":4,"method":"GET","path":"/read"}',
      accepted: 202,
      stored: 4,
      other: expect.stringContaining('201 '),
      storedByFirst: 4,
    });
  });

  it('a function around that of a queue is not gone round for ever', async () => {
    const server = await serve();
    const { found } = await probe('underPatchedFetch', server.origin);
    expect(found).toMatchObject({
      global: '201 {"n":1,"method":"POST","path":"/global"}',
      bypass: '201 {"n":2,"method":"POST","path":"/past"}',
      data: '200 data',
      joined: '200 {"n":3,"method":"GET","path":"/read"}',
      accepted: '202',
      calls: 6,
    });
  });
});

describe('in place of the global dispatcher', () => {
  it('a queue takes every call once', async () => {
    const server = await serve();
    const { found } = await probe('asGlobalDispatcher', server.origin);
    expect(found).toMatchObject({
      isSet: true,
      global: '201 {"n":1,"method":"POST","path":"/global"}',
      storedByGlobal: 1,
      queued: '201 {"n":2,"method":"POST","path":"/queued"}',
      storedByBoth: 2,
      request: 200,
      joined: '200 {"n":4,"method":"GET","path":"/"}',
      stored: 4,
      bypass: '201 {"n":5,"method":"POST","path":"/past"}',
      closed: expect.stringContaining('TypeError fetch failed'),
    });
  });

  it('a queue stores nothing of what is to go past it', async () => {
    const server = await serve();
    const { found } = await probe('asGlobalDispatcher', server.origin);
    expect(found).toMatchObject({ storedByBypass: 0 });
  });

  it('and of the global fetch, it does too', async () => {
    const server = await serve();
    const { found } = await probe('asBoth', server.origin);
    expect(found).toEqual({ global: '201 {"n":1,"method":"POST","path":"/global"}', stored: 1 });
  });
});

it('importing and using a queue leaves fetch and its dispatcher as they were', async () => {
  const server = await serve();
  expect((await probe('untouched', server.origin)).found).toEqual({ imported: true, used: true, version: true });
  expect((await probe('untouchedBeforeFirstUse', server.origin)).found).toEqual({
    isUnset: true,
    answer: expect.stringContaining('200 '),
    native: expect.stringContaining('200 '),
  });
});
