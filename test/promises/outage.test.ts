import { describe, expect, it } from 'vitest';
import { refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { applied, drained, start, url } from './support.ts';

const HOUR_MS = 3_600_000;

describe('a server that answers 503 for two hours', () => {
  it.each([
    ['without Retry-After', undefined],
    ['with Retry-After', 30],
  ])('costs no request its life, %s', async (_name, seconds) => {
    const test = await start();
    test.server.script.always(unavailable(seconds));
    const handles = Array.from({ length: 20 }, (_, n) =>
      test.queue.enqueue({ method: n % 2 === 0 ? 'POST' : 'PUT', url: url(`/things/${n}`), body: { n } }),
    );
    await Promise.all(handles);
    await test.clock.advance(2 * HOUR_MS);
    expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0, unknown: 0, succeeded: 0 });
    test.server.script.clear();
    expect(await drained(test)).toBe(true);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 20, dead: 0 });
    expect(applied(test)).toHaveLength(20);
  });
});

describe('no network for two hours', () => {
  it('costs no request its life', async () => {
    const test = await start();
    test.network.online = false;
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        test.queue.enqueue({ method: 'POST', url: url('/notes'), body: { n } }, { lane: `lane-${n % 3}` }),
      ),
    );
    await test.clock.advance(2 * HOUR_MS);
    test.network.online = true;
    expect(await drained(test)).toBe(true);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 20, dead: 0, held: 0 });
    for (const lane of [0, 1, 2]) {
      const order = applied(test)
        .map((line) => Number(/"n":(\d+)/.exec(line)?.[1]))
        .filter((n) => n % 3 === lane);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
  });
});

describe('a server that answers 500 to one request', () => {
  it.each([
    ['PUT', 8],
    // Nothing recognises a resend of it, so it is not sent twice.
    ['POST', 1],
  ])('ends that %s and no other', async (method, sends) => {
    const test = await start();
    const isPoison = ({ path }: { readonly path: string }): boolean => path === '/things/poison';
    test.server.script.always((request) => (isPoison(request) ? refuse({ status: 500 }) : undefined));
    const poison = await test.queue.enqueue({ method, url: url('/things/poison'), body: {} });
    for (let n = 0; n < 50; n += 1) {
      await test.queue.enqueue({ method: 'PUT', url: url(`/things/${n}`), body: { n } });
      await test.clock.advance(5_000);
    }
    expect(await drained(test)).toBe(true);
    // A 500 does not say that nothing was done: whether to send it again is for a person to decide.
    expect(await test.queue.get(poison.id)).toMatchObject({ state: 'held', reason: 'unknown' });
    expect(test.server.ledger.entries.filter(({ request }) => isPoison(request))).toHaveLength(sends);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 50, held: 1 });
  });
});
