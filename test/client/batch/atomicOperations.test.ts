import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atomicOperations } from '../../../src/client/batch/atomicOperations.ts';
import type { BatchMember } from '../../../src/queue/types/batch.ts';
import type { Json } from '../../../src/queue/types/request.ts';
import type { Asked, Reply } from './support/batching.ts';
import {
  answer,
  byId,
  jsonMember,
  member,
  sendAlone,
  sendTogether,
  serve,
  shown,
  textMember,
} from './support/batching.ts';

interface Thing {
  readonly type: string;
  readonly id?: string;
  readonly attributes?: Record<string, Json>;
}

interface Change {
  readonly op: string;
  readonly ref?: { readonly type: string; readonly id?: string; readonly relationship?: string };
  readonly href?: string;
  readonly data?: Thing;
}

interface Store {
  readonly things: Map<string, Thing>;
  made: number;
}

class Refusal {
  readonly status: string;
  readonly detail: string;
  constructor(status: string, detail: string) {
    this.status = status;
    this.detail = detail;
  }
}

const empty = (): Store => ({
  things: new Map(['1', '2'].map((id) => [`articles/${id}`, { type: 'articles', id, attributes: { title: 'old' } }])),
  made: 0,
});

/** Does one change, or throws: no titles that are empty, nothing to what is not there. */
function change(state: Store, { op, ref, data }: Change): { readonly data?: unknown } {
  if (ref?.relationship !== undefined) return {};
  const id = ref?.id ?? data?.id;
  const key = `${ref?.type ?? data?.type}/${id}`;
  if (op !== 'add' && !state.things.has(key)) throw new Refusal('404', `no ${key}`);
  if (op === 'remove') {
    state.things.delete(key);
    return {};
  }
  const { title = '' } = data?.attributes ?? {};
  if (title === '') throw new Refusal('422', 'a title is needed');
  if (op === 'update' && isDeepStrictEqual(data?.attributes, state.things.get(key)?.attributes)) return {};
  if (op === 'add') state.made += 1;
  const newId = op === 'add' ? `n${state.made}` : id;
  const thing: Thing & { readonly links: Json } = {
    ...data,
    type: 'articles',
    id: newId ?? '',
    links: { self: `/api/articles/${newId}` },
  };
  state.things.set(`articles/${newId}`, thing);
  return { data: thing };
}

function articles(state: Store, { method, path, text }: Asked): Reply {
  const headers = { 'content-type': 'application/vnd.api+json' };
  const errorOf = ({ status, detail }: Refusal, pointer: string) => ({
    errors: [{ status, detail, source: { pointer } }],
  });
  if (path !== '/api/operations') {
    const [type = '', id, , relationship] = path.slice('/api/'.length).split('/').map(decodeURIComponent);
    const ops: Record<string, string> = { POST: 'add', PATCH: 'update', DELETE: 'remove' };
    const ref = { type, ...(id !== undefined && { id }), ...(relationship !== undefined && { relationship }) };
    const data = text === '' ? undefined : (JSON.parse(text) as { data: Thing }).data;
    try {
      const body = change(state, { op: ops[method] ?? '', ref, ...(data && { data }) });
      if (body.data === undefined) return { status: 204 };
      return { status: method === 'POST' ? 201 : 200, headers, body };
    } catch (error) {
      return { status: Number((error as Refusal).status), headers, body: errorOf(error as Refusal, '/data') };
    }
  }
  const { 'atomic:operations': changes } = JSON.parse(text) as { 'atomic:operations': Change[] };
  const before = new Map(state.things);
  const { made } = state;
  const results: object[] = [];
  for (const [at, one] of changes.entries()) {
    try {
      results.push(change(state, one));
    } catch (error) {
      state.things.clear();
      for (const [key, thing] of before) state.things.set(key, thing);
      state.made = made;
      return { status: 400, headers, body: errorOf(error as Refusal, `/atomic:operations/${at}/data`) };
    }
  }
  const isSilent = results.every((result) => Object.keys(result).length === 0);
  return isSilent ? { status: 204 } : { status: 200, headers, body: { 'atomic:results': results } };
}

const create = (id: string, title: string) =>
  jsonMember(id, 'POST', '/api/articles', { data: { type: 'articles', attributes: { title } } });
const update = (id: string, of: string, title: string) =>
  jsonMember(id, 'PATCH', `/api/articles/${of}`, { data: { type: 'articles', id: of, attributes: { title } } });
const remove = (id: string, of: string) =>
  member(id, { method: 'DELETE', path: `/api/articles/${of}`, effect: 'delete' });

const anyWrite: fc.Arbitrary<(id: string) => BatchMember> = fc.oneof(
  fc.constantFrom('', 'ü😀"', 'old', 'x').chain((title) =>
    fc.constantFrom<(id: string) => BatchMember>(
      (id) => create(id, title),
      (id) => update(id, '1', title),
      (id) => update(id, '9', title),
    ),
  ),
  fc.constantFrom('2', '8').map((of) => (id: string) => remove(id, of)),
  fc.constant((id: string) => jsonMember(id, 'PATCH', '/api/articles/1/relationships/author', { data: null })),
);

describe('atomic operations', () => {
  const adapter = atomicOperations({ base: '/api' });

  it('end as single writes do, once those are left out that are refused by name', async () => {
    const server = await serve(empty, articles);
    await fc.assert(
      fc.asyncProperty(fc.array(anyWrite, { minLength: 2, maxLength: 8 }), async (all) => {
        const members = all.map((make, at) => make(`m${at}`));
        server.reset();
        const alone = await sendAlone(server.origin, members);
        server.reset();
        const ended: Record<string, unknown> = {};
        let waiting: readonly BatchMember[] = members;
        while (waiting.length > 0) {
          const outcomes = byId(await sendTogether(server.origin, adapter, waiting));
          const answered = Object.entries(outcomes).filter(([, outcome]) => outcome !== 'notServed');
          expect(answered.length).toBeGreaterThan(0);
          Object.assign(ended, Object.fromEntries(answered));
          waiting = waiting.filter(({ id }) => !(id in ended));
        }
        expect(ended).toEqual(alone);
      }),
      { numRuns: 15 },
    );
  });

  it('are adds, updates and removals by type and id', () => {
    const members = [
      textMember('a', 'POST', '/api/articles', '{"data":{"type":"articles","n":1.0}}'),
      textMember('b', 'PATCH', '/api/articles/7', '{"data":{"type":"articles","id":"7"},"jsonapi":{}}'),
      remove('c', 'a%2Fb'),
      textMember('d', 'POST', '/api/articles/7/relationships/tags', '{"data":[]}'),
    ];
    const type = 'application/vnd.api+json;ext="https://jsonapi.org/ext/atomic"';
    expect(adapter.compose(members)).toEqual({
      method: 'POST',
      path: '/api/operations',
      headers: [
        ['content-type', type],
        ['accept', type],
      ],
      body:
        '{"atomic:operations":[{"op":"add","data":{"type":"articles","n":1.0}},{"op":"update","data":{"type":"articles","id":"7"}},' +
        '{"op":"remove","ref":{"type":"articles","id":"a/b"}},{"op":"add","ref":{"type":"articles","id":"7","relationship":"tags"},"data":[]}]}',
    });
  });

  it('name their targets by path, or by another type, where that is declared', () => {
    const bodyOf = (options: object, one: BatchMember) =>
      atomicOperations({ base: '/api', ...options }).compose([one, one]).body;
    expect(bodyOf({ target: 'href' }, remove('a', '1'))).toContain('{"op":"remove","href":"/api/articles/1"}');
    expect(bodyOf({ types: { articles: 'article' } }, remove('a', '1'))).toContain('"ref":{"type":"article","id":"1"}');
  });

  it('are all without content where the whole is', () => {
    const members = [remove('a', '1'), create('b', 'x')];
    expect(byId(adapter.outcomes([{ status: 204, headers: [], body: new Uint8Array() }], members))).toEqual({
      a: { status: 204, body: '' },
      b: { status: 204, body: '' },
    });
  });

  it('say where a thing was made', () => {
    const results = [{ data: { type: 'articles', id: '5', links: { self: '/api/articles/5' } } }, { meta: { n: 1 } }];
    const outcomes = adapter.outcomes(
      [answer(200, { 'atomic:results': results })],
      [create('a', 'x'), remove('b', '1')],
    );
    expect(outcomes).toMatchObject([
      {
        response: {
          status: 201,
          headers: [
            ['content-type', 'application/vnd.api+json'],
            ['location', '/api/articles/5'],
          ],
        },
      },
      { response: { status: 200 } },
    ]);
  });

  it('believe no results of another number, in another order, or of no meaning', () => {
    const members = [update('a', '1', 'x'), update('b', '2', 'x')];
    const result = (id: string) => ({ data: { type: 'articles', id } });
    const said = (results: unknown) =>
      adapter.outcomes([answer(200, { 'atomic:results': results })], members).map(shown);
    expect(said([result('1'), {}])).toEqual([
      { status: 200, body: '{"data":{"type":"articles","id":"1"}}' },
      { status: 204, body: '' },
    ]);
    for (const wrong of [
      [result('1')],
      [result('1'), result('2'), result('1')],
      [result('2'), result('1')],
      [1, 2],
      {},
      null,
    ]) {
      expect(said(wrong), JSON.stringify(wrong)).toEqual(['missing', 'missing']);
    }
    for (const rubbish of ['<html>', '', '[]', '{"errors":[]}']) {
      expect(adapter.outcomes([answer(200, rubbish)], members).map(shown), rubbish).toEqual(['missing', 'missing']);
    }
    expect(adapter.outcomes([], members).map(shown)).toEqual(['missing', 'missing']);
  });

  describe('that are refused', () => {
    const members = [create('a', 'x'), create('b', ''), create('c', 'x')];
    const refused = (status: number, body: unknown) => adapter.refused?.(answer(status, body), members)?.map(shown);
    const error = (pointer: string, status?: string) => ({
      ...(status !== undefined && { status }),
      source: { pointer },
    });

    it('give the named one its answer, with pointers into its own document', () => {
      expect(refused(400, { errors: [error('/atomic:operations/1/data/attributes/title', '422')] })).toEqual([
        'notServed',
        { status: 422, body: '{"errors":[{"status":"422","source":{"pointer":"/data/attributes/title"}}]}' },
        'notServed',
      ]);
    });

    it('give each of several its own errors', () => {
      const errors = [
        error('/atomic:operations/2', '409'),
        error('/atomic:operations/0'),
        error('/atomic:operations/2', '422'),
        {},
      ];
      expect(refused(400, { errors })).toEqual([
        { status: 400, body: '{"errors":[{"source":{"pointer":""}}]}' },
        'notServed',
        {
          status: 400,
          body: '{"errors":[{"status":"409","source":{"pointer":""}},{"status":"422","source":{"pointer":""}}]}',
        },
      ]);
    });

    it.each([
      ['without a pointer', 400, { errors: [{ status: '422' }] }],
      ['with a pointer to nobody', 400, { errors: [error('/atomic:operations/3')] }],
      ['with a pointer to something else', 400, { errors: [error('/atomic:operations/01'), error('/data')] }],
      ['by a page', 400, '<html>'],
      ['by errors that are none', 400, { errors: [null, 1, { source: null }, { source: { pointer: 1 } }] }],
      ['for want of a credential', 401, { errors: [error('/atomic:operations/1')] }],
      ['for their number', 429, { errors: [error('/atomic:operations/1')] }],
      ['by a server that failed', 500, { errors: [error('/atomic:operations/1')] }],
      ['by something very deep', 400, `{"errors":${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
    ])('are nobody in particular: %s', (_, status, body) => {
      expect(refused(status, body)).toBeUndefined();
    });
  });

  it.each([
    ['a read', member('m', { path: '/api/articles/1' })],
    ['a write with a query', create('m', 'x'), '?include=author'],
    ['a write with a precondition', { ...remove('m', '1'), headers: [['if-match', '"1"']] as const }],
    ['a creation with a local id', jsonMember('m', 'POST', '/api/articles', { data: { type: 'articles', lid: 'x' } })],
    ['a document with more than data', jsonMember('m', 'POST', '/api/articles', { data: { type: 'a' }, meta: {} })],
    ['a document without a type', jsonMember('m', 'POST', '/api/articles', { data: {} })],
    [
      'an update of another id than that of its path',
      jsonMember('m', 'PATCH', '/api/articles/1', { data: { type: 'a', id: '2' } }),
    ],
    ['an update of a collection', jsonMember('m', 'PATCH', '/api/articles', { data: { type: 'a' } })],
    ['an addition to one thing', jsonMember('m', 'POST', '/api/articles/1', { data: { type: 'a' } })],
    ['a removal with a body', jsonMember('m', 'DELETE', '/api/articles/1', { data: null })],
    ['what is no JSON', textMember('m', 'POST', '/api/articles', 'x')],
    ['what is elsewhere', member('m', { method: 'DELETE', path: '/other/articles/1' })],
    ['what is deeper', member('m', { method: 'DELETE', path: '/api/articles/1/author' })],
  ])('leave out %s', (_, candidate, search = '') => {
    const one = { ...candidate, path: candidate.path + search };
    expect(adapter.key(one)).toBeNull();
    expect(() => adapter.compose([one, one])).toThrow('goes alone');
  });

  it('have all problems of their options reported at once', () => {
    expect(() =>
      atomicOperations({ path: 'x', base: 'y', target: 'z', types: { a: 1 }, ignoreHeaders: 'b', basse: 1 } as never),
    ).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: {
          problems: ['basse', 'path', 'base', 'target', 'types', 'ignoreHeaders'].map((path) =>
            expect.objectContaining({ path }),
          ),
        },
      }),
    );
  });
});
