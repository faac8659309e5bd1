import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../../src/index.ts';
import { apiKey, holdfastError } from '../../../src/index.ts';
import type { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import type { ServerStep } from '../../../src/testing/serverSteps.ts';
import { answer, hang, refuse, resetBeforeApply } from '../../../src/testing/serverSteps.ts';
import { headerIn } from '../../core/harness.ts';
import { arrivals, failure, soon, until } from './support/looks.ts';
import { open, STORES, serve, serveLater } from './support/queues.ts';

const POST = { method: 'POST', body: 'a' } as const;
const PUT = { method: 'PUT', body: 'a' } as const;

function redirect(status: number, location: string): ServerStep {
  return answer({ status, headers: [['location', location]] });
}

/** How requests ended and what was set aside, as it happens. */
function endsOf(queue: QueueManager): string[] {
  const ends: string[] = [];
  queue.on('request:held', ({ reason }) => ends.push(`held ${reason}`));
  queue.on('request:unknown', ({ reason }) => ends.push(`unknown ${reason}`));
  queue.on('request:settled', ({ state }) => ends.push(state));
  return ends;
}

async function ended(ends: readonly string[]): Promise<void> {
  await until(() => ends.length > 0, 'the end of the request');
}

describe.each(STORES)('a write that was answered by a redirect to look elsewhere, on %s,', (store) => {
  it.each([
    [303, 503],
    [302, 429],
    [303, 425],
    [301, 500],
  ])('is done: %i, whatever the page says there: %i', async (status, found) => {
    const server = await serve();
    server.script.next(redirect(status, '/receipt'));
    server.script.always(refuse({ status: found, headers: [['retry-after', '0']], body: 'not now' }));
    const queue = await open(store, { maxAttempts: 3 });
    const ends = endsOf(queue);
    const response = await soon(queue.fetch(`${server.origin}/charges`, POST), 'the answer');
    expect([response.status, await response.text()]).toEqual([found, 'not now']);
    expect([response.url, response.redirected]).toEqual([`${server.origin}/receipt`, true]);
    await ended(ends);
    expect(ends).toEqual(['succeeded']);
    expect(arrivals(server)).toEqual(['POST /charges a', 'GET /receipt']);
  });

  it('is done where the page never answers', async () => {
    const server = await serve();
    server.script.next(redirect(303, '/receipt'), hang);
    const queue = await open(store, { maxAttempts: 3 });
    const ends = endsOf(queue);
    const { message } = await failure(queue.fetch(server.origin, { ...POST, queue: { attemptTimeoutMs: 100 } }));
    expect(message).toBe('fetch failed');
    await ended(ends);
    expect(ends).toEqual(['succeeded']);
    expect(await queue.counts()).toMatchObject({ succeeded: 1, held: 0, unknown: 0 });
    expect(arrivals(server)).toEqual(['POST / a', 'GET /receipt']);
  });

  it('is done where the page is redirected and lost', async () => {
    const server = await serve();
    server.script.next(redirect(303, '/receipt'), redirect(307, '/receipts/1'), resetBeforeApply);
    const queue = await open(store, { maxAttempts: 3 });
    const ends = endsOf(queue);
    expect((await failure(queue.fetch(server.origin, POST))).message).toBe('fetch failed');
    await ended(ends);
    expect(ends).toEqual(['succeeded']);
    expect(arrivals(server)).toEqual(['POST / a', 'GET /receipt', 'GET /receipts/1']);
  });
});

describe.each(STORES)('a write that is sent on by a redirect, on %s,', (store) => {
  /** How a PUT fares, and what arrives of it there: at once, and by way of a redirect. */
  const compared = async (there: () => Promise<ScriptedServer>) => {
    const fare = async (isRedirected: boolean) => {
      const target = await there();
      const home = await serve();
      home.script.always(redirect(301, `${target.origin}/there`));
      const queue = await open(store, { maxAttempts: 3 });
      const ends = endsOf(queue);
      const call = queue.fetch(isRedirected ? home.origin : `${target.origin}/there`, PUT);
      const error = await soon(call, 'the failure', 6_000).catch((e: TypeError) => e);
      if (error instanceof Response) throw new Error(`answered ${error.status}`);
      await ended(ends);
      const { code } = error.cause as { readonly code?: string };
      return { ends, code, ours: holdfastError(error)?.code, sent: arrivals(target), home: arrivals(home) };
    };
    const { home: none, ...direct } = await fare(false);
    const { home, ...redirected } = await fare(true);
    expect(none).toEqual([]);
    expect(redirected).toEqual(direct);
    return { ...direct, home };
  };

  it('is retried when its connection is reset there, as without the redirect', async () => {
    const { home, sent, code } = await compared(async () => {
      const target = await serve();
      target.script.always(resetBeforeApply);
      return target;
    });
    expect(code).toBe('ECONNRESET');
    expect(sent).toEqual(['PUT /there a', 'PUT /there a', 'PUT /there a']);
    expect(home).toEqual(['PUT / a', 'PUT / a', 'PUT / a']);
  });

  it('is retried when it is refused there, and arrives once', async () => {
    const target = await serveLater();
    const home = await serve();
    home.script.always(redirect(301, `${target.origin}/there`));
    const queue = await open(store, { maxAttempts: 100 });
    const ends = endsOf(queue);
    const call = queue.fetch(home.origin, PUT);
    call.catch(() => undefined);
    await until(() => home.ledger.entries.length > 1, 'it is tried again');
    await target.start();
    expect((await soon(call, 'the answer')).status).toBe(200);
    await ended(ends);
    expect(ends).toEqual(['succeeded']);
    expect(arrivals(target)).toEqual(['PUT /there a']);
  });
});

describe.each(STORES)('a redirect to another origin, on %s,', (store) => {
  it('whose target has enough stops nothing at home', async () => {
    const home = await serve();
    const other = await serve();
    home.script.next(redirect(302, `${other.origin}/there`));
    other.script.always(refuse({ status: 429, headers: [['retry-after', '30']] }));
    const queue = await open(store);
    const call = queue.fetch(`${home.origin}/away`);
    call.catch(() => undefined); // it waits for as long as it was told to
    await until(async () => (await queue.counts()).scheduled === 1, 'it waits');
    const fine = await soon(queue.fetch(`${home.origin}/fine`), 'the zone at home', 2_000);
    expect([fine.status, await fine.json()]).toEqual([200, { n: 2, method: 'GET', path: '/fine' }]);
    expect(arrivals(other)).toEqual(['GET /there']);
  });

  it.each(['refuses connections', 'resets them'])('whose target %s stops nothing at home', async (how) => {
    const home = await serve();
    const other = how === 'resets them' ? await serve() : await serveLater();
    other.script.always(resetBeforeApply);
    home.script.always(({ path }) => (path === '/fine' ? undefined : redirect(302, `${other.origin}${path}`)));
    const queue = await open(store, { retry: { baseDelayMs: 30_000, maxDelayMs: 30_000 } });
    const offline: string[] = [];
    queue.on('zone:offline', ({ zone }) => offline.push(zone));
    // Enough of them for a zone to be found down, or broken, were it the one to blame.
    for (let n = 0; n < 10; n += 1) queue.fetch(`${home.origin}/away/${n}`).catch(() => undefined);
    await until(() => home.ledger.entries.length === 10, 'all are redirected');
    await until(async () => (await queue.counts()).sending === 0, 'their attempts have ended');
    const fine = queue.fetch(`${home.origin}/fine`);
    fine.catch(() => undefined);
    expect((await soon(fine, 'the zone at home', 1_500)).status).toBe(200);
    expect(offline).toEqual([]);
  });

  it('carries nothing that only its zone may know, and all that its caller said', async () => {
    const home = await serve();
    const other = await serve();
    home.script.always(({ path }) => (path === '/home' ? undefined : redirect(307, `${other.origin}${path}`)));
    const auth = apiKey({ header: 'x-api-key', value: () => 'zone-secret-1' });
    const idempotency = { header: 'x-zone-key' };
    const queue = await open(store, { zones: { api: { origins: [home.origin], auth, idempotency } } });
    for (const [path, init] of [
      ['/read', {}],
      ['/write', POST],
    ] as const) {
      const headers = { 'x-note': 'mine', 'x-trace-of-mine': path };
      const response = await soon(queue.fetch(home.origin + path, { ...init, headers }), path);
      expect(response.url).toBe(other.origin + path);
    }
    const sent = (server: ScriptedServer, name: string) =>
      server.ledger.entries.map(({ request }) => headerIn(request, name));
    expect(sent(home, 'x-api-key')).toEqual(['zone-secret-1', 'zone-secret-1']);
    expect(sent(home, 'x-zone-key')).toEqual([undefined, expect.any(String)]);
    expect(sent(other, 'x-api-key')).toEqual([undefined, undefined]);
    expect(sent(other, 'x-zone-key')).toEqual([undefined, undefined]);
    expect(sent(other, 'x-note')).toEqual(['mine', 'mine']);
    expect(sent(other, 'x-trace-of-mine')).toEqual(['/read', '/write']);
    expect(arrivals(other)).toEqual(['GET /read', 'POST /write a']);
  });

  it('and the zone knows it again on its way back home', async () => {
    const home = await serve();
    const other = await serve();
    other.script.always(({ path }) => redirect(307, `${home.origin}${path}/home`));
    home.script.next(redirect(307, `${other.origin}/a`));
    const auth = apiKey({ header: 'x-api-key', value: () => 'zone-secret-1' });
    const queue = await open(store, { zones: { api: { origins: [home.origin], auth } } });
    expect((await soon(queue.fetch(home.origin), 'the answer')).url).toBe(`${home.origin}/a/home`);
    expect(other.ledger.entries.map(({ request }) => headerIn(request, 'x-api-key'))).toEqual([undefined]);
  });
});
