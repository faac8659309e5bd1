import { expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { at, world } from './harness.ts';

it('accepts a write of a named principal while the token endpoint is down, and sends it once there is a token', async () => {
  const test = await world();
  let isUp = false;
  const auth = {
    credential: () =>
      isUp
        ? { headers: [['authorization', 'Bearer t']] as const, version: 1 }
        : Promise.reject(new Error('token endpoint down')),
  };
  const api = new ApiClient({ queue: test.queue, baseUrl: at(''), auth, name: 'n', principal: 'ann' });
  const { id } = await api.post('/a', {}).accepted();
  isUp = true;
  await test.clock.advance(120_000);
  expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
});

it('refuses a write whose principal nobody declared, by a typed error that says what to do', async () => {
  const test = await world();
  const auth = { credential: () => Promise.reject(new Error('token endpoint down')) };
  const api = new ApiClient({ queue: test.queue, baseUrl: at(''), auth, name: 'n' });
  await expect(api.post('/a', {}).accepted()).rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
  expect(await test.queue.counts()).toMatchObject({ ready: 0, sending: 0 });
});

it('does not hold up others for a provider that never answers', async () => {
  const test = await world();
  const auth = { credential: () => new Promise<never>(() => undefined) };
  const api = new ApiClient({ queue: test.queue, baseUrl: at(''), auth, name: 'n' });
  const stuck = expect(api.post('/a', {}).accepted()).rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
  const next = test.queue.call({ method: 'POST', url: at('/b') }).settled();
  await test.clock.advance(31_000);
  await stuck;
  expect(await next).toMatchObject({ state: 'succeeded' });
});

it('gives the permit back when a provider stops answering before a send', async () => {
  const test = await world();
  let answers = true;
  const auth = {
    credential: () =>
      answers
        ? Promise.resolve({ headers: [['authorization', 'Bearer t']] as const, version: 1 })
        : new Promise<never>(() => undefined),
  };
  const api = new ApiClient({ queue: test.queue, baseUrl: at(''), auth, name: 'n', principal: 'ann' });
  answers = false;
  const { id } = await api.post('/a', {}).accepted();
  await test.clock.advance(20_000);
  answers = true;
  await test.clock.advance(120_000);
  expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  expect((await test.queue.health()).zones).toMatchObject([{ inFlight: 0 }]);
});
