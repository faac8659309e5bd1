import { describe, expect, it } from 'vitest';
import type { TransportCall } from '../../src/queue/types/transport.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import type { NetworkStep } from '../../src/testing/FakeServer.ts';
import { badCertificate, connectTimeout, notFound, refused } from '../../src/testing/FakeServer.ts';
import {
  applyThenReset,
  hang,
  park,
  partialBody,
  resetBeforeApply,
  slow,
  unavailable,
} from '../../src/testing/serverSteps.ts';

const ORIGIN = 'https://api.test';

function call(over: Partial<TransportCall> = {}): TransportCall {
  return { origin: ORIGIN, method: 'POST', path: '/notes', headers: [], body: '{}', timeoutMs: 1_000, ...over };
}

function network() {
  const clock = new FakeClock();
  const net = new FakeNetwork({ clock });
  return { clock, net, server: net.serve(ORIGIN) };
}

describe('FakeNetwork', () => {
  it('routes a call to the server of its origin, which applies and answers it', async () => {
    const { net, server } = network();
    const result = await net.send(call());
    expect(result).toMatchObject({ phase: 'answered', response: { status: 201 } });
    expect(server.ledger.applied('/notes')).toBe(1);
  });

  it.each<[string, NetworkStep, string]>([
    ['a refused connection', refused, 'ECONNREFUSED'],
    ['an unknown name', notFound, 'ENOTFOUND'],
    ['a bad certificate', badCertificate, 'CERT_HAS_EXPIRED'],
  ])('reports %s as not sent', async (_name, step, code) => {
    const { net, server } = network();
    server.script.next(step);
    expect(await net.send(call())).toMatchObject({ phase: 'notSent', error: { code } });
    expect(server.ledger.entries).toEqual([]);
  });

  it('does not ask a server for an answer to what it does not do and nobody hears', async () => {
    const { net, clock } = network();
    const asked: string[] = [];
    const { script } = net.serve(ORIGIN, { respond: ({ method }) => ({ status: asked.push(method) + 199 }) });
    script.next(resetBeforeApply, hang, { kind: 'partialHead', apply: false });
    const calls = [net.send(call()), net.send(call()), net.send(call())];
    await clock.advance(1_000);
    await Promise.all(calls);
    expect(asked).toEqual([]);
    await net.send(call());
    expect(asked).toEqual(['POST']);
  });

  it('finds nobody at an origin that is not served', async () => {
    const { net } = network();
    const result = await net.send(call({ origin: 'https://nowhere.test' }));
    expect(result).toMatchObject({ phase: 'notSent', error: { code: 'ENOTFOUND' } });
  });

  it('takes a connection that is never made for as long as the call allows', async () => {
    const { net, server, clock } = network();
    server.script.next(connectTimeout);
    const result = net.send(call({ timeoutMs: 400 }));
    await clock.advance(399);
    expect(net.underWay).toBe(1);
    await clock.advance(1);
    expect(await result).toMatchObject({ phase: 'notSent', error: { code: 'UND_ERR_CONNECT_TIMEOUT' } });
    expect(clock.pending).toBe(0);
  });

  it('lets no call out while it is offline', async () => {
    const { net, server } = network();
    net.online = false;
    expect(await net.send(call())).toMatchObject({ phase: 'notSent', error: { code: 'ENETUNREACH' } });
    net.online = true;
    await net.send(call());
    expect(server.ledger.applied()).toBe(1);
  });

  it('tells a reset before applying from one after only in the ledger', async () => {
    const { net, server } = network();
    server.script.next(resetBeforeApply, applyThenReset);
    expect(await net.send(call())).toMatchObject({ phase: 'sent', error: { code: 'ECONNRESET' } });
    expect(server.ledger.applied()).toBe(0);
    expect(await net.send(call())).toMatchObject({ phase: 'sent', error: { code: 'ECONNRESET' } });
    expect(server.ledger.applied()).toBe(1);
  });

  it('keeps parked answers until they are released', async () => {
    const { net, server } = network();
    server.script.next(park, park);
    const [one, two] = [net.send(call()), net.send(call())];
    expect([server.parked, server.ledger.applied()]).toEqual([2, 2]);
    server.release(1);
    expect(await one).toMatchObject({ phase: 'answered' });
    expect(server.parked).toBe(1);
    server.release();
    expect(await two).toMatchObject({ phase: 'answered' });
  });

  it('times out a call that hangs as sent', async () => {
    const { net, server, clock } = network();
    server.script.next(hang);
    const result = net.send(call());
    await clock.advance(1_000);
    expect(await result).toMatchObject({ phase: 'sent', error: { code: 'CALL_TIMEOUT' } });
  });

  it('answers 503 with Retry-After and applies nothing', async () => {
    const { net, server } = network();
    server.script.next(unavailable(7));
    const result = await net.send(call());
    expect(result).toMatchObject({ phase: 'answered', response: { status: 503 } });
    expect(result.phase === 'answered' && result.response.headers).toContainEqual(['retry-after', '7']);
    expect(server.ledger.applied()).toBe(0);
  });

  it('delays an answer by the clock', async () => {
    const { net, server, clock } = network();
    server.script.next(slow(300));
    const result = net.send(call());
    await clock.advance(299);
    expect(net.underWay).toBe(1);
    await clock.advance(1);
    expect(await result).toMatchObject({ phase: 'answered' });
  });

  it('reports a body lost on the way beside the status', async () => {
    const { net, server } = network();
    server.script.next(partialBody);
    const result = await net.send(call());
    expect(result).toMatchObject({ phase: 'answered', response: { status: 201 }, bodyError: expect.any(Error) });
  });

  it('cuts a call off when its signal says so, and all of them when it closes', async () => {
    const { net, server } = network();
    server.script.always(hang);
    const abort = new AbortController();
    const aborted = net.send(call({ signal: abort.signal }));
    const left = net.send(call());
    abort.abort();
    expect(await aborted).toMatchObject({ phase: 'sent', error: { code: 'CALL_ABORTED' } });
    await net.close();
    expect(await left).toMatchObject({ phase: 'sent' });
    expect(await net.send(call())).toMatchObject({ phase: 'notSent' });
  });

  it('follows its list first, then its rule', async () => {
    const { net, server } = network();
    server.script.next(unavailable());
    server.script.always((request) => (request.path === '/bad' ? unavailable() : undefined));
    const statusOf = async (path: string): Promise<unknown> => {
      const result = await net.send(call({ path }));
      return result.phase === 'answered' ? result.response.status : result.phase;
    };
    expect([await statusOf('/good'), await statusOf('/good'), await statusOf('/bad')]).toEqual([503, 201, 503]);
  });
});
