import { describe, expect, it } from 'vitest';
import { holdfastError } from '../../src/errors.ts';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import type { Transport, TransportCall, TransportResult } from '../../src/queue/types/transport.ts';
import type { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { hang, slow } from '../../src/testing/serverSteps.ts';
import { at, record } from '../core/harness.ts';
import type { Rig, ZoneGates } from './support/world.ts';
import { breakerOf, enqueueEach, get, MINUTE_MS, put, rig, SECOND_MS, ZONE, zones } from './support/world.ts';

/** A queue that tells which timeout each call was given. */
async function timed(
  zone: ZoneGates = {},
  config: Omit<QueueOptions, 'backend' | 'zones'> = {},
): Promise<Rig & { readonly timeouts: Map<string, number[]>; readonly lastOf: (path: string) => number }> {
  const timeouts = new Map<string, number[]>();
  const made = await rig({
    config: { ...config, zones: zones(zone) },
    transport: (network) => ({
      isPunctual: true,
      send: (call) => {
        const path = call.path.split('/')[1] ?? '';
        timeouts.set(path, [...(timeouts.get(path) ?? []), call.timeoutMs]);
        return network.send(call);
      },
      close: () => Promise.resolve(),
    }),
  });
  return { ...made, timeouts, lastOf: (path) => timeouts.get(path)?.at(-1) ?? Number.NaN };
}

/** Writes that each take so long, one after the other. */
async function answerIn({ queue, clock, server }: Rig, ms: number, count: number): Promise<void> {
  server.script.always(slow(ms));
  for (let n = 0; n < count; n += 1) {
    await queue.enqueue(put(`/learn/${n}`));
    await clock.advance(ms + 1);
  }
  server.script.clear();
}

describe('the time an attempt may take', () => {
  it('is that of the configuration at first, and then follows how long calls take', async () => {
    const made = await timed();
    const changes = record(made.queue, 'timeout:changed');
    await answerIn(made, 100, 200);
    expect(made.timeouts.get('learn')?.[0]).toBe(30_000);
    const last = made.lastOf('learn');
    expect(last).toBeLessThan(30_000);
    for (const { fromMs, toMs } of changes) expect(toMs).toBeGreaterThanOrEqual(Math.floor(0.9 * fromMs));
    expect(changes[0]).toMatchObject({ zone: ZONE, channel: ZONE, operation: 'write', fromMs: 30_000, toMs: 27_000 });
    expect(made.queue.zones.get(ZONE).timeoutsMs).toEqual({ write: changes.at(-1)?.toMs });
  });

  it('is a second at least, however quick a zone is', async () => {
    const made = await timed();
    await answerIn(made, 2, 1_500);
    expect(made.lastOf('learn')).toBe(1_000);
  });

  it('is learned for reads, writes and bulk apart', async () => {
    const made = await timed();
    await answerIn(made, 100, 200);
    await made.queue.enqueue(get('/reads/1'));
    await made.queue.enqueue(put('/bulk/1'), { priority: 'bulk' });
    await made.clock.advance(SECOND_MS);
    expect(made.lastOf('reads')).toBe(30_000);
    expect(made.lastOf('bulk')).toBe(30_000);
  });

  it('is learned for endpoints apart', async () => {
    const made = await timed({ endpoint: ({ path }) => path.split('/')[1] });
    await answerIn(made, 100, 200);
    await made.queue.enqueue(put('/other/1'));
    await made.clock.settle();
    expect(made.lastOf('other')).toBe(30_000);
  });

  it('is never below that of the configuration for a write that cannot be repeated', async () => {
    const made = await timed();
    made.server.script.always(slow(100));
    for (let n = 0; n < 300; n += 1) {
      await made.queue.enqueue({ method: 'POST', url: at(`/posts/${n}`), body: {} });
      await made.clock.advance(101);
    }
    expect(new Set(made.timeouts.get('posts'))).toEqual(new Set([30_000]));
    await made.queue.enqueue(put('/puts/1'));
    await made.clock.advance(SECOND_MS);
    expect(made.lastOf('puts')).toBeLessThan(15_000);
  });

  it('adapts for a POST that the zone knows by its key', async () => {
    const made = await timed({ idempotency: 'stripe' });
    made.server.script.always(slow(100));
    for (let n = 0; n < 300; n += 1) {
      await made.queue.enqueue({ method: 'POST', url: at(`/posts/${n}`), body: {} });
      await made.clock.advance(101);
    }
    expect(made.lastOf('posts')).toBeLessThan(15_000);
  });

  it('grows to a minute where calls take that long', async () => {
    const made = await timed();
    made.server.script.always(slow(25_000));
    await enqueueEach(made.queue, 60, '/learn');
    await made.clock.advance(4 * MINUTE_MS);
    expect(made.lastOf('learn')).toBeGreaterThan(30_000);
    expect(made.lastOf('learn')).toBeLessThanOrEqual(60_000);
  });

  it('is never above that of the configuration where that was set', async () => {
    const made = await timed({}, { attemptTimeoutMs: 10_000 });
    await answerIn(made, 9_000, 60);
    expect(Math.max(...(made.timeouts.get('learn') ?? []))).toBe(10_000);
  });

  it('is within the bounds of the zone', async () => {
    const made = await timed({ adaptiveTimeout: { minMs: 4_000, maxMs: 5_000 } });
    await answerIn(made, 10, 300);
    expect(made.timeouts.get('learn')?.[0]).toBe(5_000);
    expect(made.lastOf('learn')).toBe(4_000);
  });

  it('is that of the configuration always, where it does not adapt', async () => {
    const made = await timed({ adaptiveTimeout: false }, { attemptTimeoutMs: 7_000 });
    await answerIn(made, 10, 100);
    expect(new Set(made.timeouts.get('learn'))).toEqual(new Set([7_000]));
  });

  it('does not collapse when calls begin to take longer than it: what was cut off counts for longer', async () => {
    const made = await timed({ breaker: false, retryBudget: false, adaptiveConcurrency: false });
    await answerIn(made, 50, 1_500);
    expect(made.lastOf('learn')).toBe(1_000);
    made.server.script.always(slow(2_500));
    await enqueueEach(made.queue, 40, '/slower');
    await made.clock.advance(5 * MINUTE_MS);
    expect(Math.max(...(made.timeouts.get('slower') ?? []))).toBeGreaterThan(2_500);
    expect((await made.queue.counts()).succeeded).toBe(1_540);
  });

  it('is the longest for the last attempt a request has', async () => {
    const made = await timed({ breaker: false }, { maxAttempts: 3 });
    await answerIn(made, 50, 300);
    const usual = made.lastOf('learn');
    made.server.script.always(({ path }) => (path.startsWith('/stuck') ? hang : undefined));
    await made.queue.enqueue(put('/stuck/1'));
    await made.clock.advance(10 * MINUTE_MS);
    const given = made.timeouts.get('stuck') ?? [];
    expect(given.length).toBe(3);
    expect(given[0]).toBeLessThanOrEqual(usual);
    expect(given[2]).toBe(60_000);
  });
});

describe('a read with a deadline', () => {
  it('is given no more time than is left', async () => {
    const made = await timed();
    made.server.script.always(hang);
    await made.queue.enqueue(get('/reads/1'), { deadline: made.clock.now() + 4_000 });
    await made.clock.settle();
    expect(made.lastOf('reads')).toBe(4_000);
  });

  it('expires unsent where less is left than half of its kind take', async () => {
    const made = await timed();
    made.server.script.always(slow(2_000));
    for (let n = 0; n < 60; n += 1) {
      await made.queue.enqueue(get(`/reads/${n}`));
      await made.clock.advance(2_001);
    }
    const sent = made.timeouts.get('reads')?.length;
    const late = made.queue.call(get('/reads/late'), { deadline: made.clock.now() + 1_000 });
    const settled = late.settled();
    await made.clock.advance(SECOND_MS);
    expect(await settled).toMatchObject({ state: 'dead', reason: 'expired', error: { code: 'REQUEST_EXPIRED' } });
    expect(made.timeouts.get('reads')?.length).toBe(sent);
    const timely = made.queue.call(get('/reads/timely'), { deadline: made.clock.now() + 3_000 }).settled();
    await made.clock.advance(3 * SECOND_MS);
    expect(await timely).toMatchObject({ state: 'succeeded' });
  });

  it('is sent where little is left of it, as long as nothing is known of its kind', async () => {
    const made = await timed();
    const settled = made.queue.call(get('/reads/1'), { deadline: made.clock.now() + 50 }).settled();
    await made.clock.settle();
    expect(await settled).toMatchObject({ state: 'succeeded' });
  });
});

describe('a call that was not answered in time', () => {
  it('tells its caller what the time was made of', async () => {
    const made = await timed({}, { maxAttempts: 1 });
    await answerIn(made, 100, 60);
    made.server.script.always(hang);
    const settled = made.queue.call(put('/stuck/1')).settled();
    await made.clock.advance(2 * MINUTE_MS);
    const { error } = await settled;
    const cause = holdfastError(error?.cause, 'ATTEMPT_TIMEOUT');
    expect(cause?.details).toEqual({
      id: expect.any(String),
      zone: ZONE,
      timeoutMs: made.lastOf('stuck'),
      p99Ms: expect.closeTo(100, -2),
      samples: expect.any(Number),
    });
    expect(cause?.details?.samples).toBeGreaterThanOrEqual(60);
  });

  it('says so where nothing was known yet', async () => {
    const made = await timed({}, { maxAttempts: 1, attemptTimeoutMs: 3_000 });
    made.server.script.always(hang);
    const settled = made.queue.call(put('/stuck/1')).settled();
    await made.clock.advance(2 * MINUTE_MS);
    const cause = holdfastError((await settled).error?.cause, 'ATTEMPT_TIMEOUT');
    expect(cause?.details).toMatchObject({ timeoutMs: 3_000, p99Ms: null });
  });
});

describe('a transport that does not keep to the time', () => {
  /** It never ends a call by itself, and does with the signal what `onAbort` says. */
  function deaf(calls: TransportCall[], onAbort: (call: TransportCall) => TransportResult | undefined | Error) {
    return (network: FakeNetwork): Transport => ({
      send: (call) => {
        if (!call.path.startsWith('/stuck')) return network.send(call);
        calls.push(call);
        return new Promise((resolve, reject) => {
          call.signal?.addEventListener('abort', () => {
            const end = onAbort(call);
            if (end instanceof Error) reject(end);
            else if (end !== undefined) resolve(end);
          });
        });
      },
      close: () => Promise.resolve(),
    });
  }

  it('is told so by its signal, with what the time was made of as the reason', async () => {
    const calls: TransportCall[] = [];
    const { queue, clock } = await rig({
      config: { zones: zones(), attemptTimeoutMs: 5_000 },
      transport: deaf(calls, () => undefined),
    });
    await queue.enqueue(put('/stuck/1'));
    await clock.advance(5_000 - 1);
    expect(calls[0]?.signal?.aborted).toBe(false);
    await clock.advance(1);
    expect(calls[0]?.signal?.aborted).toBe(true);
    expect(holdfastError(calls[0]?.signal?.reason, 'ATTEMPT_TIMEOUT')?.details).toMatchObject({ timeoutMs: 5_000 });
  });

  it('keeps its slot for two more seconds, and no longer', async () => {
    const calls: TransportCall[] = [];
    const { queue, clock, server } = await rig({
      config: { zones: zones({ maxConcurrency: 1 }), attemptTimeoutMs: 5_000 },
      transport: deaf(calls, () => undefined),
    });
    const stuck = await queue.enqueue(put('/stuck/1'));
    await queue.enqueue(put('/next'));
    await clock.advance(7_000 - 1);
    expect(queue.zones.get(ZONE).concurrency.inUse).toBe(1);
    expect(server.ledger.applied()).toBe(0);
    await clock.advance(1);
    expect(server.ledger.applied('/next')).toBe(1);
    expect(await queue.get(stuck.id)).toMatchObject({
      state: 'scheduled',
      progress: { attempts: [{ phase: 'sent', error: 'CALL_TIMEOUT' }] },
    });
  });

  it('gives its slot back at once where it ends the call by then', async () => {
    const calls: TransportCall[] = [];
    const aborted = (): TransportResult => ({
      phase: 'sent',
      error: Object.assign(new Error('aborted'), { code: 'CALL_ABORTED' }),
    });
    const { queue, clock } = await rig({
      config: { zones: zones({ maxConcurrency: 1 }), attemptTimeoutMs: 5_000 },
      transport: deaf(calls, aborted),
    });
    const { id } = await queue.enqueue(put('/stuck/1'));
    await clock.advance(5_000);
    expect(queue.zones.get(ZONE).concurrency.inUse).toBe(0);
    // Ended by our signal, it was cut off for all that and counts as such.
    expect(await queue.get(id)).toMatchObject({ progress: { faults: 1, attempts: [{ error: 'CALL_TIMEOUT' }] } });
  });

  it('may answer within its grace', async () => {
    const { queue, clock } = await rig({
      config: { zones: zones(), attemptTimeoutMs: 5_000 },
      transport: deaf([], () => ({
        phase: 'answered',
        response: { status: 200, headers: [], body: new Uint8Array(0) },
      })),
    });
    const { id } = await queue.enqueue(put('/stuck/1'));
    await clock.advance(5_000);
    expect(await queue.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it('may reject for the signal, which counts as a call that was cut off', async () => {
    const { queue, clock } = await rig({
      config: { zones: zones(), attemptTimeoutMs: 5_000 },
      transport: deaf([], ({ signal }) => signal?.reason as Error),
    });
    const { id } = await queue.enqueue(put('/stuck/1'));
    await clock.advance(5_000);
    expect(await queue.get(id)).toMatchObject({ progress: { faults: 1, unresolved: true } });
    expect(queue.zones.get(ZONE).concurrency.inUse).toBe(0);
  });

  it('leaves nothing behind that fires later', async () => {
    const { queue, clock, server } = await rig({
      config: { zones: zones(), attemptTimeoutMs: 5_000 },
      transport: (network) => ({ send: (call) => network.send(call), close: () => Promise.resolve() }),
    });
    await clock.advance(MINUTE_MS);
    const before = clock.pending;
    await enqueueEach(queue, 50);
    await clock.settle();
    expect(server.ledger.applied()).toBe(50);
    expect(clock.pending).toBeLessThanOrEqual(before + 1);
    expect(breakerOf(queue)).toBe('closed');
  });
});
