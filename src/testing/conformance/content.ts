import assert from 'node:assert/strict';
import type { Body } from '../../queue/types/request.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';

async function stored(t: Trial, body: Body): Promise<Body> {
  const { id } = await t.accept({ content: { method: 'POST', path: '/', headers: [], body } });
  return (await t.get(id)).content.body;
}

const bytes = (body: Body): number[] => {
  assert.ok(body instanceof Uint8Array, 'the body is bytes');
  return [...body];
};

export const contentGroup = group('content', (test, handles) => {
  test('text stays text and bytes stay bytes', async (t) => {
    assert.equal(await stored(t, 'text'), 'text');
    assert.deepEqual(bytes(await stored(t, new TextEncoder().encode('text'))), [116, 101, 120, 116]);
  });

  test('an empty body is not the same as none', async (t) => {
    assert.equal(await stored(t, ''), '');
    assert.equal(await stored(t, null), null);
    assert.deepEqual(bytes(await stored(t, new Uint8Array())), []);
  });

  test('every byte and every character comes back', async (t) => {
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    assert.deepEqual(bytes(await stored(t, every)), [...every]);
    const text = `\u0000\t\r\n"'\\ \u007f äß € \u{10ffff} \u{1f469}\u200d\u{1f692} \ufeff \u2028`;
    assert.equal(await stored(t, text), text);
  });

  test('a view of a larger buffer is stored as the view', async (t) => {
    const whole = Uint8Array.from([1, 2, 3, 4, 5]);
    assert.deepEqual(bytes(await stored(t, whole.subarray(1, 4))), [2, 3, 4]);
  });

  test('a mebibyte of text and of bytes comes back', async (t) => {
    const text = 'ä'.repeat(1024 * 512);
    assert.equal(await stored(t, text), text);
    const large = new Uint8Array(1024 * 1024).fill(7);
    large[1024 * 1024 - 1] = 9;
    const found = await stored(t, large);
    assert.ok(found instanceof Uint8Array);
    assert.ok(Buffer.from(found.buffer, found.byteOffset, found.byteLength).equals(large));
  });

  test('header order, repetition and empty values are kept', async (t) => {
    const headers = [
      ['b', '1'],
      ['a', ''],
      ['b', 'ä, "x"'],
    ] as const;
    const { id } = await t.accept({ content: { method: 'M-SEARCH', path: '/%20?q=%C3%A4&&', headers, body: null } });
    const { content } = await t.get(id);
    assert.deepEqual(content, { method: 'M-SEARCH', path: '/%20?q=%C3%A4&&', headers, body: null });
  });

  test('what fetch asks of the way it is sent is kept, and what is not there stays away', async (t) => {
    const content = { method: 'POST', path: '/', headers: [], body: null } as const;
    for (const fetch of [{}, { redirect: 'manual', referrer: '', method: 'post' }] as const) {
      const { id } = await t.accept({ content: { ...content, fetch } });
      assert.deepEqual((await t.get(id)).content, { ...content, fetch });
    }
    const { id } = await t.accept({ content });
    assert.deepEqual((await t.get(id)).content, content);
  });

  test('content keeps how it is sent when another part of its request changes', async (t) => {
    const fetch = { redirect: 'error' } as const;
    const { id } = await t.accept({ content: { method: 'PUT', path: '/', headers: [], body: 'a', fetch } });
    await t.requests.amend({ now: t.now, changes: [{ id, from: ['ready'], patch: { base: { version: 1 } } }] });
    const { base, content } = await t.get(id);
    assert.deepEqual([base, content.fetch], [{ version: 1 }, fetch]);
  });

  test('a result keeps its reason phrase and final URL, where it has them', async (t) => {
    const result = { status: 200, headers: [['a', 'b']], body: new Uint8Array([1]) } as const;
    for (const more of [{}, { statusText: 'Fine' }, { url: 'https://b.test/x' }]) {
      const id = await t.done({}, { result: { ...result, ...more } });
      const { body, ...found } = (await t.get(id)).result ?? {};
      assert.deepEqual([found, body?.byteLength], [{ status: 200, headers: [['a', 'b']], ...more }, 1]);
    }
  });

  test('a result keeps its body, or none', async (t) => {
    const large = new Uint8Array(64 * 1024).fill(3);
    for (const body of [null, new Uint8Array(), large]) {
      const id = await t.done({}, { result: { status: 200, headers: [['a', 'b']], body } });
      const { result } = await t.get(id);
      assert.equal(result?.body === null, body === null);
      assert.equal(result?.body?.byteLength, body?.byteLength);
    }
  });

  test('numbers keep their value', async (t) => {
    const { id } = await t.accept({
      rank: { form: 'value', value: 1_700_000_000_000.25 },
      acceptedAt: 2 ** 43,
      bytes: 0,
    });
    const { rank, acceptedAt, bytes: size } = await t.get(id);
    assert.deepEqual([rank, acceptedAt, size], [1_700_000_000_000.25, 2 ** 43, 0]);
  });

  handles('what was committed is there for whoever comes after a crash', async (t) => {
    const doomed = await t.open('worker-2');
    const requests = [t.request({ lane: 'l', tags: ['x'] }), t.request({ lane: 'l' }), t.request()];
    const limits = { maxSize: 100, maxBytes: 1000 };
    await doomed.requests.enqueue({ requests, atomic: false, now: t.now, limits, claim: null });
    const held = await t.lease(requests[0]?.id ?? '', { worker: 'worker-2' }, doomed);
    const binding = { localId: 'l1', serverId: '1', type: 'note', zone: 'api', requestId: held.id, boundAt: t.now };
    const next = { state: 'succeeded', reason: 'applied' } as const;
    const { progress } = await t.get(held.id);
    await doomed.requests.settle({ now: t.now, settlements: [{ ...held, next, progress, bind: [binding] }] });
    await doomed.shared.set({ key: 'k', value: [1], expiresAt: null, now: t.now });
    await doomed.history.append({ entries: [{ stream: 's', at: t.now, data: 'x' }] });
    await t.abandon(doomed);

    const heir = await t.open('worker-3');
    const found = await heir.requests.get({ ids: requests.map(({ id }) => id) });
    assert.deepEqual(
      found.map((one) => one?.state),
      ['succeeded', 'ready', 'ready'],
    );
    assert.ok(found.every((one) => one?.version === found[0]?.version));
    assert.deepEqual(await heir.requests.bindings({ localIds: ['l1'] }), [binding]);
    assert.deepEqual((await heir.shared.get({ key: 'k', now: t.now }))?.value, [1]);
    assert.equal((await heir.history.query({ stream: 's', after: 0, limit: 9 })).length, 1);
    assert.equal((await t.claim(9, { worker: 'worker-3' }, heir)).length, 2);
    const counts = await heir.requests.count({});
    assert.equal(
      counts.reduce((sum, { count }) => sum + count, 0),
      3,
    );
  });
});
