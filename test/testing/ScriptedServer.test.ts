import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import type { ScriptedServerOptions } from '../../src/testing/ScriptedServer.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import {
  answer,
  applyThenHang,
  applyThenReset,
  hang,
  park,
  partialBody,
  partialHead,
  resetBeforeApply,
  slow,
  unavailable,
} from '../../src/testing/serverSteps.ts';

const open: ScriptedServer[] = [];

async function start(options?: ScriptedServerOptions): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(options);
  open.push(server);
  return server;
}

function post(server: ScriptedServer, key?: string, body = 'one', signal?: AbortSignal): Promise<Response> {
  return fetch(`${server.origin}/notes`, {
    method: 'POST',
    body,
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
    ...(signal === undefined ? {} : { signal }),
  });
}

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

describe('ScriptedServer', () => {
  it('applies and answers, and keeps an ordered log', async () => {
    const server = await start();
    expect((await post(server)).status).toBe(201);
    expect((await fetch(`${server.origin}/notes`)).status).toBe(200);
    expect(server.ledger.entries.map((entry) => [entry.seq, entry.request.method, entry.outcome])).toEqual([
      [1, 'POST', 'applied'],
      [2, 'GET', 'read'],
    ]);
  });

  it('is not asked for an answer to what it does not do and nobody hears', async () => {
    const asked: string[] = [];
    const server = await start({ respond: ({ method }) => ({ status: asked.push(method) + 199 }) });
    server.script.next(resetBeforeApply, { kind: 'partialHead', apply: false });
    await expect(post(server)).rejects.toThrow(TypeError);
    await expect(post(server)).rejects.toThrow(TypeError);
    expect(asked).toEqual([]);
    expect((await post(server)).status).toBe(200);
  });

  it('replays the answer of a key, and refuses it with other content', async () => {
    const server = await start();
    const first = await (await post(server, 'k')).json();
    const second = await post(server, 'k');
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(await second.json()).toEqual(first);
    expect((await post(server, 'k', 'two')).status).toBe(422);
    expect(server.ledger.applied('/notes')).toBe(1);
  });

  it.each([
    ['after applying', applyThenReset, 1],
    ['before applying', resetBeforeApply, 0],
  ])('cuts the connection %s', async (_name, step, applied) => {
    const server = await start();
    server.script.next(step);
    await expect(post(server)).rejects.toMatchObject({ cause: { code: expect.stringMatching(/ECONNRESET|SOCKET/) } });
    expect(server.ledger.applied()).toBe(applied);
  });

  it.each([
    ['without applying', hang, 0],
    ['after applying', applyThenHang, 1],
  ])('never answers, %s', async (_name, step, applied) => {
    const server = await start();
    server.script.next(step);
    const abort = new AbortController();
    const asked = post(server, undefined, 'one', abort.signal);
    await server.ledger.until((ledger) => ledger.entries.length === 1);
    abort.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    expect(server.ledger.applied()).toBe(applied);
  });

  it('sends half a head', async () => {
    const server = await start();
    server.script.next(partialHead);
    await expect(post(server)).rejects.toThrow('fetch failed');
    expect(server.ledger.applied()).toBe(1);
  });

  it('sends the status and half a body', async () => {
    const server = await start();
    server.script.next(partialBody);
    const response = await post(server);
    expect(response.status).toBe(201);
    await expect(response.text()).rejects.toThrow('terminated');
  });

  it('keeps parked answers until they are released', async () => {
    const server = await start();
    server.script.next(park);
    const asked = post(server);
    await server.ledger.until((ledger) => ledger.applied() === 1);
    expect(server.parked).toBe(1);
    server.release();
    expect((await asked).status).toBe(201);
    expect(server.parked).toBe(0);
  });

  it('delays answers by its clock', async () => {
    const clock = new FakeClock();
    const server = await start({ clock });
    server.script.next(slow(60_000));
    const asked = post(server);
    await server.ledger.until((ledger) => ledger.applied() === 1);
    await clock.advance(60_000);
    expect((await asked).status).toBe(201);
  });

  it('answers what the script says, applied or not', async () => {
    const server = await start();
    server.script.next(unavailable(3), answer({ status: 204 }));
    const busy = await post(server);
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '3']);
    expect((await post(server)).status).toBe(204);
    expect(server.ledger.entries.map((entry) => entry.outcome)).toEqual(['notApplied', 'applied']);
  });

  it('refuses connections while stopped and remembers its keys when it starts again on its port', async () => {
    const server = await start();
    const { origin } = server;
    await post(server, 'k');
    await server.stop();
    await expect(post(server)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    await server.start();
    expect(server.origin).toBe(origin);
    await post(server, 'k');
    expect(server.ledger.entries.map((entry) => entry.outcome)).toEqual(['applied', 'replayed']);
  });

  it('cuts what is under way when it stops, and stops twice without harm', async () => {
    const server = await start();
    server.script.next(park);
    const asked = post(server);
    await server.ledger.until((ledger) => ledger.applied() === 1);
    const rejected = expect(asked).rejects.toThrow('fetch failed');
    await server.stop();
    await server.close();
    await rejected;
    expect([server.listening, server.parked]).toEqual([false, 0]);
  });
});
