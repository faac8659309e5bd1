import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idBatch } from '../../../src/client/batch/idBatch.ts';
import type { IdBatchOptions } from '../../../src/client/batch/idBatchOptions.ts';
import type { Asked, Reply } from './support/batching.ts';
import { answer, byId, member, send, sendAlone, sendTogether, serve } from './support/batching.ts';

/** Ids with what URLs, JSON and separators have a meaning for. */
const EXOTIC = [
  '1',
  'a b',
  'ä€😀',
  'x&y=z',
  '50%',
  'a+b',
  '"q"',
  '#h',
  "o'n",
  '..a',
  'A',
  'null',
  '{id}',
  '\\',
  '__proto__',
];

const reads = (ids: readonly (string | number)[], path = '/things/') =>
  ids.map((id, index) => member(`m${index}`, { path: path + encodeURIComponent(id) }));

const BY_GET: IdBatchOptions = { path: '/things/{id}', query: { path: '/things', parameter: 'ids' } };

/** Things by id: singly, by a parameter, and by repeated ones; big numbers as they are written. */
function things(state: ReadonlyMap<string, string>, { path, query }: Asked): Reply {
  if (path === '/things') {
    const ids = query.getAll('id').concat(query.get('ids')?.split(',') ?? []);
    const found = ids.flatMap((id) => state.get(id) ?? []).reverse();
    return { status: 200, body: `[ ${found.join(' ,\n')} ]` };
  }
  const found = state.get(decodeURIComponent(path.slice('/things/'.length)));
  return found === undefined ? { status: 404 } : { status: 200, body: found };
}

const thingTexts = (ids: readonly string[]) =>
  new Map(ids.map((id) => [id, `{"id": ${JSON.stringify(id)}, "big":12345678901234567890, "s":"],{\\"\\\\"}`]));

/** Tickets as Autotask has them: single ones wrapped, absent ones null, queries by POST in pages of two. */
function tickets(state: ReadonlyMap<number, string>, { method, path, query, text }: Asked): Reply {
  if (!path.startsWith('/v1/Tickets/query')) {
    return { status: 200, body: `{"item":${state.get(Number(path.split('/').at(-1))) ?? 'null'}}` };
  }
  if (method !== 'POST') return { status: 405 };
  const { filter } = JSON.parse(text) as { filter: [{ value: number[] }] };
  const found = [...state].filter(([id]) => filter[0].value.includes(id)).map(([, item]) => item);
  const page = Number(query.get('page') ?? 0);
  const isLast = found.length <= (page + 1) * 2;
  const next = isLast ? null : `https://elsewhere.example.com/v1/Tickets/query/next?page=${page + 1}`;
  const items = found.slice(page * 2, page * 2 + 2).join(',');
  return { status: 200, body: `{"items":[${items}],"pageDetails":{"nextPageUrl":${JSON.stringify(next)}}}` };
}

const BY_POST: IdBatchOptions = {
  path: '/v1/{entity}/{id}',
  query: {
    path: '/v1/{entity}/query',
    body: (ids) => ({ filter: [{ op: 'in', field: 'id', value: [...ids] }], MaxRecords: 500 }),
  },
  idType: 'number',
  items: '/items',
  wrap: '/item',
  absent: { status: 200, body: { item: null } },
  nextUrl: '/pageDetails/nextPageUrl',
};

describe('reads by id', () => {
  for (const separator of [',', 'repeat']) {
    it(`answer each as a single read would, asked by GET with ${separator}`, async () => {
      const server = await serve(() => thingTexts(EXOTIC.slice(0, 11)), things);
      const parameter = separator === 'repeat' ? 'id' : 'ids';
      const adapter = idBatch({ ...BY_GET, query: { path: '/things', parameter, separator } });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.constantFrom(...EXOTIC), { minLength: 2, maxLength: 12 }), async (ids) => {
          const members = reads(ids).filter((one) => adapter.key(one) !== null);
          if (members.length < 2) return;
          server.reset();
          const alone = await sendAlone(server.origin, members);
          server.reset();
          expect(byId(await sendTogether(server.origin, adapter, members))).toEqual(alone);
          expect(server.calls()).toBe(1);
        }),
        { numRuns: 15 },
      );
    });
  }

  it('answer each as a single read would, asked by POST in pages', async () => {
    const item = (id: number): [number, string] => [id, `{"id":${id},"title":"t${id}","cost":1.10}`];
    const server = await serve(() => new Map([1, 2, 3, 5, 8, 13].map(item)), tickets);
    const adapter = idBatch(BY_POST);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 14 }), { minLength: 2, maxLength: 10 }), async (ids) => {
        const members = reads(ids, '/v1/Tickets/');
        server.reset();
        const alone = await sendAlone(server.origin, members);
        expect(byId(await sendTogether(server.origin, adapter, members))).toEqual(alone);
      }),
      { numRuns: 15 },
    );
  });

  it('follow pages with the same verb and body to the zone they were asked of', () => {
    const adapter = idBatch(BY_POST);
    const call = adapter.compose(reads([1, 2], '/v1/Tickets/'));
    const page = (url: unknown) => answer(200, { items: [], pageDetails: { nextPageUrl: url } });
    expect(adapter.next?.(page('https://evil.example.com/v1/Tickets/query/next?paging=%7B1'), call)).toEqual({
      ...call,
      path: '/v1/Tickets/query/next?paging=%7B1',
    });
    for (const url of [null, '', 7, 'javascript:alert(1)', '/v1/Tickets/query', 'http://[']) {
      expect(adapter.next?.(page(url), call), String(url)).toBeUndefined();
    }
  });

  it('match ids that are numbers on one side and texts on the other, digit by digit', () => {
    const adapter = idBatch(BY_GET);
    const members = reads(['12345678901234567890', '7']);
    const body = '[{"id":"7"},{"id":12345678901234567890}]';
    expect(byId(adapter.outcomes([answer(200, body)], members))).toEqual({
      m0: { status: 200, body: '{"id":12345678901234567890}' },
      m1: { status: 200, body: '{"id":"7"}' },
    });
  });

  it('are told apart by query string, headers and the other parts of the path', () => {
    const adapter = idBatch({ ...BY_POST, idType: 'string', search: 'pass', ignoreHeaders: ['X-Trace'] });
    const key = (path: string, headers: [string, string][] = []) => adapter.key(member('m', { path, headers }));
    const plain = key('/v1/Tickets/1');
    expect(plain).toBe(key('/v1/Tickets/2', [['x-trace', '9']]));
    const others = [
      key('/v1/Tickets/1?fields=a'),
      key('/v1/Tickets/1', [['accept', 'text/csv']]),
      key('/v1/Tickets/1', [['prefer', 'x']]),
      key('/v1/Companies/1'),
    ];
    expect(new Set([plain, ...others]).size).toBe(5);
  });

  it('pass what they have alike on to the query', () => {
    const headers: [string, string][] = [['accept', 'application/json']];
    const members = ['1', '2'].map((id) => member(id, { path: `/things/${id}?select=a,b`, headers }));
    expect(idBatch(BY_GET).compose(members)).toEqual({
      method: 'GET',
      path: '/things?ids=1,2&select=a,b',
      headers,
      body: null,
    });
  });

  it.each([
    ['of another method', member('m', { method: 'DELETE', path: '/things/1' })],
    ['that somebody calls a write', member('m', { path: '/things/1', effect: 'action' })],
    ['of another path', member('m', { path: '/things/1/notes' })],
    ['of the list', member('m', { path: '/things' })],
    ['with a condition', member('m', { path: '/things/1', headers: [['If-None-Match', '"a"']] })],
    ['of a part', member('m', { path: '/things/1', headers: [['range', 'bytes=0-1']] })],
    ['with the separator in its id', member('m', { path: '/things/1%2C2' })],
    ['that has the parameter already', member('m', { path: '/things/1?ids=2' })],
    ['whose escapes are none', member('m', { path: '/things/%E0%A4%A' })],
    ['whose id is far longer in a query', member('m', { path: `/things/${'$'.repeat(50)}` })],
  ])('go alone: one %s', (_, candidate) => {
    expect(idBatch(BY_GET).key(candidate)).toBeNull();
  });

  it('go alone with what is no id', () => {
    const keyOf = (options: Partial<IdBatchOptions>, id: string) =>
      idBatch({ ...BY_GET, ...options }).key(member('m', { path: `/things/${id}` }));
    expect(keyOf({ idType: 'number' }, 'query')).toBeNull();
    expect(keyOf({ idType: 'number' }, '007')).toBeNull();
    expect(keyOf({ idType: 'number' }, '99999999999999999999')).toBeNull();
    expect(keyOf({ idPattern: /^\d+$/g }, 'me')).toBeNull();
    expect(keyOf({ idPattern: /^\d+$/g }, '42')).not.toBeNull();
    expect(keyOf({ search: 'alone' }, '42?a=1')).toBeNull();
  });

  it('keep a URL below its limit, whatever ids are in it', () => {
    const separators = fc.constantFrom(',', 'repeat', ' | ');
    const ids = fc.array(fc.oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constantFrom(...EXOTIC)), {
      minLength: 2,
      maxLength: 300,
    });
    fc.assert(
      fc.property(separators, ids, fc.constantFrom('', '?select=a%20b'), (separator, all, search) => {
        const adapter = idBatch({ ...BY_GET, query: { path: '/things', parameter: 'filter[id]', separator } });
        let room = adapter.maxBytes ?? 0;
        const members = reads(all)
          .map((one) => ({ ...one, path: one.path + search }))
          .filter((one) => adapter.key(one) !== null)
          .filter((one) => {
            room -= one.path.length;
            return room >= 0;
          });
        if (members.length < 2) return;
        expect(`https://${'h'.repeat(240)}${adapter.compose(members).path}`.length).toBeLessThanOrEqual(2_048);
      }),
    );
  });

  it('conclude nothing about what a wrong answer does not name', () => {
    const adapter = idBatch({ ...BY_GET, nextUrl: '/0/next' });
    const said = (body: unknown, status = 200) => byId(adapter.outcomes([answer(status, body)], reads(['1', '2'])));
    const one = { status: 200, body: '{"id":1}' };
    expect(said([{ id: 1 }])).toEqual({ m0: one, m1: { status: 404, body: '' } });
    expect(said([{ id: 1 }, { id: '02' }])).toEqual({ m0: one, m1: 'missing' });
    expect(said([{ id: 1 }, null])).toEqual({ m0: one, m1: 'missing' });
    expect(said([{ id: 1 }], 206)).toEqual({ m0: one, m1: 'missing' });
    expect(said([{ id: 1, next: '/more' }])).toMatchObject({ m1: 'missing' });
    expect(said([{ id: 1 }, { id: 1, other: 1 }, { id: 2 }])).toEqual({
      m0: 'missing',
      m1: { status: 200, body: '{"id":2}' },
    });
    expect(said([{ id: 1 }, { id: 1 }])).toEqual({ m0: one, m1: { status: 404, body: '' } });
    for (const rubbish of ['<html>no</html>', '', '{"items":[]}', 'null', '[1', '[]x', '7']) {
      expect(said(rubbish), rubbish).toEqual({ m0: 'missing', m1: 'missing' });
    }
    expect(byId(adapter.outcomes([], reads(['1'])))).toEqual({ m0: 'missing' });
  });

  it('have the content type of the answer where it is one of JSON', () => {
    const typeOf = (type: string) => {
      const [outcome] = idBatch(BY_GET).outcomes([answer(200, [{ id: 1 }], { 'content-type': type })], reads(['1']));
      return outcome?.kind === 'answered' ? outcome.response.headers : undefined;
    };
    expect(typeOf('application/hal+json; charset=utf-8')).toEqual([
      ['content-type', 'application/hal+json; charset=utf-8'],
    ]);
    expect(typeOf('text/plain')).toEqual([['content-type', 'application/json']]);
  });

  it('ask again alone when the body of a query is rubbish', () => {
    const adapter = idBatch({ ...BY_POST, query: { path: '/q', body: () => undefined as never } });
    expect(() => adapter.compose(reads([1, 2], '/v1/Tickets/'))).toThrow('is not JSON');
    expect(() => adapter.compose(reads(['x', 'y']))).toThrow('no read of a single thing');
  });

  it('report all problems of their options at once', () => {
    const options = {
      path: 'things',
      query: { path: '/t/{id}', parameter: '', body: 1 },
      items: 'items',
      maxItems: 1,
      wrapp: 1,
    };
    expect(() => idBatch(options as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: {
          problems: expect.arrayContaining(
            ['path', 'query', 'query.path', 'query.parameter', 'query.body', 'items', 'maxItems', 'wrapp'].map((path) =>
              expect.objectContaining({ path }),
            ),
          ),
        },
      }),
    );
    expect(() => idBatch(undefined as never)).toThrow(/options \(expected an object/);
    expect(() => idBatch({ ...BY_GET, maxUrlLength: 270 })).toThrow(/maxUrlLength/);
    expect(() => idBatch({ ...BY_GET, absent: { status: 99 } })).toThrow(/absent.status/);
  });

  it('survive answers that are deep and big', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const text = `[{"id":1,"deep":${deep}},{"id":2,"text":"${'\\"\\\\'.repeat(500_000)}"}]`;
    const server = await serve(
      () => text,
      (body) => ({ status: 200, body }),
    );
    const adapter = idBatch(BY_GET);
    const answers = [await send(server.origin, adapter.compose(reads(['1', '2'])))];
    const outcomes = adapter.outcomes(answers, reads(['1', '2']));
    expect(outcomes.map((one) => one.kind === 'answered' && one.response.body.length)).toEqual([200_016, 2_000_018]);
  });
});
