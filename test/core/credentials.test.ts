import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { park, refuse } from '../../src/testing/serverSteps.ts';
import { at, deferred, headerIn, record, tokenProvider, world } from './harness.ts';

function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.sig`;
}

const post = (authorization?: string) => ({
  method: 'POST',
  url: at('/notes'),
  body: 'x',
  headers: authorization === undefined ? undefined : { authorization },
});
const basic = (user: string) => `Basic ${Buffer.from(`${user}:pw`).toString('base64')}`;

async function principalOf(test: TestQueue, request: object, options = {}): Promise<string | undefined> {
  const { id } = await test.queue.enqueue(request as ReturnType<typeof post>, options);
  return (await test.queue.get(id))?.principal;
}

function sentTokens(test: TestQueue): (string | undefined)[] {
  return test.server.ledger.entries.map(({ request }) => headerIn(request, 'authorization'));
}

describe('the principal', () => {
  it('is anonymous without credentials', async () => {
    expect(await principalOf(await world(), post())).toBe('anonymous');
  });

  it('is the Basic user name, or issuer and subject of a JWT', async () => {
    const test = await world();
    expect(await principalOf(test, post(basic('ann')))).toBe('basic:ann');
    expect(await principalOf(test, post(`Bearer ${jwt({ iss: 'i', sub: 's', exp: 1 })}`))).toBe('jwt:i|s');
    expect(await principalOf(test, post(`Bearer ${jwt({ iss: 'i', sub: 's', exp: 2 })}`))).toBe('jwt:i|s');
  });

  it('is another for every opaque token, shows none of it, and stays the same over restarts', async () => {
    const test = await world();
    const one = await principalOf(test, post('Bearer one'));
    expect(one).toMatch(/^key:/);
    expect(one).not.toContain('one');
    expect(await principalOf(test, post('Bearer two'))).not.toBe(one);
    expect(await principalOf(test, { ...post(), headers: { 'x-api-key': 'one' } })).not.toBe(one);
    await test.crash();
    expect(await principalOf(test, post('Bearer one'))).toBe(one);
  });

  it('is what the call says, before the configuration and before the credential', async () => {
    expect(await principalOf(await world({ principal: 'tenant' }), post('Bearer one'))).toBe('tenant');
    expect(await principalOf(await world({ principal: () => 'made' }), post())).toBe('made');
    expect(await principalOf(await world({ principal: 'tenant' }), post('Bearer one'), { principal: 'me' })).toBe('me');
  });
});

describe('two callers with different opaque tokens', () => {
  it('send two reads, each with its own token', async () => {
    const test = await world();
    test.server.script.always(park);
    const get = (token: string) => ({ method: 'GET', url: at('/me'), headers: { authorization: `Bearer ${token}` } });
    const calls = ['one', 'two', 'one'].map((token) => test.queue.call(get(token)).settled());
    await test.clock.settle();
    expect(sentTokens(test).sort()).toEqual(['Bearer one', 'Bearer two']);
    test.server.release();
    expect((await Promise.all(calls)).map(({ deduplicated }) => deduplicated)).toEqual([false, false, true]);
  });

  it('never send with the token of the other after a crash', async () => {
    const test = await world();
    test.network.online = false;
    const one = await test.queue.enqueue({ ...post('Bearer one'), body: 'one' });
    const two = await test.queue.enqueue({ ...post('Bearer two'), body: 'two' });
    const queue = await test.crash();
    test.network.online = true;
    await test.clock.advance(60_000);
    for (const { id } of [one, two]) expect(await queue.get(id)).toMatchObject({ state: 'held', reason: 'auth' });
    await queue.enqueue({ ...post('Bearer two'), body: 'three' });
    await test.clock.advance(60_000);
    expect(await queue.get(two.id)).toMatchObject({ state: 'succeeded' });
    expect(await queue.get(one.id)).toMatchObject({ state: 'held', reason: 'auth' });
    expect(new Set(sentTokens(test))).toEqual(new Set(['Bearer two']));
    await queue.enqueue({ ...post('Bearer one'), body: 'four' });
    await test.clock.advance(60_000);
    for (const { request } of test.server.ledger.entries) {
      const own = ['one', 'four'].includes(request.body) ? 'Bearer one' : 'Bearer two';
      expect(headerIn(request, 'authorization')).toBe(own);
    }
    expect(test.server.ledger.applied()).toBe(4);
  });

  it('with the same principal send each with its own token while their process lives', async () => {
    const test = await world({ principal: 'tenant' });
    test.queue.pause();
    for (const token of ['one', 'two']) await test.queue.enqueue({ ...post(`Bearer ${token}`), body: token });
    test.queue.resume();
    await test.clock.settle();
    for (const { request } of test.server.ledger.entries) {
      expect(headerIn(request, 'authorization')).toBe(`Bearer ${request.body}`);
    }
  });
});

describe('a zone with auth', () => {
  const zone = (token = 't1', principal?: string) => {
    const auth = tokenProvider(token, principal);
    return { auth, config: { zones: { api: { origins: [at('')], auth } } } };
  };

  it('brings the credential of requests that have none, also after a crash', async () => {
    const { config } = zone();
    const test = await world(config);
    test.network.online = false;
    await test.queue.enqueue(post());
    await test.clock.settle();
    await test.crash();
    test.network.online = true;
    await test.clock.advance(60_000);
    expect(sentTokens(test)).toEqual(['Bearer t1']);
  });

  it('leaves a request its own', async () => {
    const test = await world(zone().config);
    await test.queue.enqueue(post('Bearer own'));
    await test.clock.settle();
    expect(sentTokens(test)).toEqual(['Bearer own']);
  });

  it('does not send the requests of one user as another', async () => {
    const { auth, config } = zone('t1');
    const test = await world(config);
    test.queue.pause();
    const first = await test.queue.enqueue(post());
    auth.token = 't2';
    test.queue.resume();
    await test.clock.settle();
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'held', reason: 'auth' });
    await test.queue.enqueue({ ...post(), body: 'y' });
    await test.clock.settle();
    expect(sentTokens(test)).toEqual(['Bearer t2']);
    auth.token = 't1';
    await test.queue.enqueue({ ...post(), body: 'z' });
    await test.clock.advance(60_000);
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'succeeded' });
    expect(sentTokens(test)).toEqual(['Bearer t2', 'Bearer t1', 'Bearer t1']);
  });

  it('sends with the newer token of the same principal', async () => {
    const { auth, config } = zone('t1', 'ann');
    const test = await world(config);
    test.queue.pause();
    await test.queue.enqueue(post());
    auth.token = 't2';
    test.queue.resume();
    await test.clock.settle();
    expect(sentTokens(test)).toEqual(['Bearer t2']);
  });

  it('serves a principal that the call names, also after a crash, and no other', async () => {
    const { auth, config } = zone('t1');
    const test = await world(config);
    test.network.online = false;
    const ours = await test.queue.enqueue(post(), { principal: 'ann' });
    await test.clock.settle();
    await test.crash();
    auth.token = 't2';
    test.network.online = true;
    await test.clock.advance(60_000);
    expect(await test.queue.get(ours.id)).toMatchObject({ state: 'held', reason: 'auth' });
    auth.token = 't1';
    await test.queue.enqueue({ ...post(), body: 'y' }, { principal: 'bob' });
    await test.clock.advance(60_000);
    expect(await test.queue.get(ours.id)).toMatchObject({ state: 'succeeded' });
    expect(new Set(sentTokens(test))).toEqual(new Set(['Bearer t1']));
  });

  it('holds a request that is refused with 401, and tells its caller', async () => {
    const test = await world(zone().config);
    const held = record(test.queue, 'request:held');
    test.server.script.always(refuse({ status: 401 }));
    const settled = test.queue.call(post()).settled();
    await test.clock.settle();
    expect(await settled).toMatchObject({ state: 'held', reason: 'auth', error: { code: 'AUTH_REQUIRED' } });
    expect(held).toHaveLength(1);
  });

  it('whose provider fails when it is to be sent waits and tries again', async () => {
    const { auth, config } = zone();
    const test = await world(config);
    test.queue.pause();
    const { id } = await test.queue.enqueue(post());
    const works = auth.credential.bind(auth);
    let fails = 3;
    auth.credential = () => {
      fails -= 1;
      if (fails >= 0) throw new Error('token endpoint down');
      return works();
    };
    test.queue.resume();
    await test.clock.advanceUntil(async () => (await test.queue.get(id))?.state === 'succeeded', 600_000);
    expect(test.server.ledger.applied()).toBe(1);
  });
});

describe('a client', () => {
  it('sends its calls with its credential, by its principal', async () => {
    const test = await world();
    const api = new ApiClient({ queue: test.queue, baseUrl: at('/v1'), auth: tokenProvider('t'), principal: 'ann' });
    const { id } = await api.post('/notes', {}).accepted();
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ principal: 'ann', auth: 'zone', client: at('/v1') });
    expect(sentTokens(test)).toEqual(['Bearer t']);
  });

  it('keeps its requests waiting once it was closed, until one of its name is there', async () => {
    const test = await world();
    const make = () => new ApiClient({ queue: test.queue, baseUrl: at(''), auth: tokenProvider('t'), name: 'notes' });
    const api = make();
    test.queue.pause();
    const { id } = await api.post('/notes', {}).accepted();
    api.close();
    test.queue.resume();
    await test.clock.advance(10_000);
    expect(await test.queue.get(id)).toMatchObject({ state: 'ready' });
    expect((await test.queue.explain(id)).waitsFor).toEqual([{ what: 'client', of: 'notes', until: null }]);
    make();
    await test.clock.advance(10_000);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it('does not keep the calls of others waiting for ever while its token is fetched', async () => {
    const test = await world();
    const token = deferred<never>();
    const auth = { credential: () => token.promise };
    const api = new ApiClient({ queue: test.queue, baseUrl: at(''), auth, name: 'slow' });
    const slow = api.post('/slow', {}).accepted();
    const other = test.queue.enqueue(post());
    token.reject(new Error('no network'));
    await expect(slow).rejects.toThrow();
    await other;
    expect((await test.queue.find({})).requests).toHaveLength(1);
  });
});
