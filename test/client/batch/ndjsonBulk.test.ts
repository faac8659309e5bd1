import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ndjsonBulk } from '../../../src/client/batch/ndjsonBulk.ts';
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

interface Store {
  readonly documents: Map<string, { readonly source: Record<string, Json>; readonly version: number }>;
  made: number;
}

interface Meta {
  readonly _index: string;
  readonly _id?: string;
  readonly routing?: string;
}

/** Writes one document as Elasticsearch does, with its status. */
function write(state: Store, action: string, { _index, _id, routing }: Meta, source: Record<string, Json>) {
  if (_id === undefined) state.made += 1;
  const id = _id ?? `auto-${state.made}`;
  const key = JSON.stringify([_index, id, routing ?? id]);
  const known = state.documents.get(key);
  const place = { _index, _id: id };
  const fail = (status: number, type: string) => ({ ...place, status, error: { type, reason: `${type} of ${id}` } });
  const { mode } = source;
  if (mode === 'strict') return fail(400, 'mapper_parsing_exception');
  if (mode === 'busy') return fail(429, 'es_rejected_execution_exception');
  if (action === 'create' && known !== undefined) return fail(409, 'version_conflict_engine_exception');
  if (action === 'update' && known === undefined) return fail(404, 'document_missing_exception');
  const version = (known?.version ?? 0) + 1;
  if (action === 'delete') {
    state.documents.delete(key);
    return {
      ...place,
      _version: version,
      result: known === undefined ? 'not_found' : 'deleted',
      status: known === undefined ? 404 : 200,
    };
  }
  state.documents.set(key, { source, version });
  const result = known === undefined ? 'created' : 'updated';
  return { ...place, _version: version, result, status: known === undefined ? 201 : 200 };
}

function search(state: Store, { method, path, query, headers, text }: Asked): Reply {
  if (path === '/_bulk') {
    if (headers['content-type'] !== 'application/x-ndjson' || !text.endsWith('\n')) return { status: 400, body: {} };
    const lines = text.slice(0, -1).split('\n');
    const items: Json[] = [];
    while (lines.length > 0) {
      const [[action, meta] = ['', { _index: '' }]] = Object.entries(
        JSON.parse(lines.shift() ?? '') as Record<string, Meta>,
      );
      const source = action === 'delete' ? {} : (JSON.parse(lines.shift() ?? '') as Record<string, Json>);
      items.push({ [action]: write(state, action, meta, source) });
    }
    return { status: 200, body: { took: 1, errors: true, items } };
  }
  const [, index = '', endpoint = '', id] = path.split('/').map(decodeURIComponent);
  const action =
    method === 'DELETE'
      ? 'delete'
      : { _doc: query.get('op_type') ?? 'index', _create: 'create', _update: 'update' }[endpoint];
  const routing = query.get('routing');
  const meta = { _index: index, ...(id !== undefined && { _id: id }), ...(routing !== null && { routing }) };
  const { status, ...rest } = write(
    state,
    action ?? '',
    meta,
    text === '' ? {} : (JSON.parse(text) as Record<string, Json>),
  );
  if ('error' in rest) return { status, body: { error: rest.error, status } };
  return { status, body: rest };
}

const IDS = ['1', 'ä/b', 'a b?&', '"\n', '__proto__'].map(encodeURIComponent);
const SOURCES = [
  '{"a":1}',
  '{\n "t": "a\\nb",\r\n\t"n": 12345678901234567890\n}',
  '{"mode":"strict"}',
  '{"mode":"busy"}',
  '{}',
];

const anyWrite: fc.Arbitrary<(id: string) => BatchMember> = fc
  .record({
    id: fc.constantFrom(...IDS),
    source: fc.constantFrom(...SOURCES),
    way: fc.constantFrom('PUT _doc', 'POST _doc', 'PUT _create', 'POST _update', 'DELETE _doc', 'POST'),
    search: fc.constantFrom('', '?routing=r%201', '?refresh=true'),
  })
  .map(({ id, source, way, search: query }) => (name: string) => {
    const [method = '', endpoint] = way.split(' ');
    const path = endpoint === undefined ? `/notes/_doc${query}` : `/notes/${endpoint}/${id}${query}`;
    if (method === 'DELETE') return member(name, { method, path, effect: 'delete' });
    return textMember(name, method, path, source);
  });

describe('a bulk of lines', () => {
  const adapter = ndjsonBulk();

  it('answers each write as by itself', async () => {
    const server = await serve((): Store => ({ documents: new Map(), made: 0 }), search);
    await fc.assert(
      fc.asyncProperty(fc.array(anyWrite, { minLength: 2, maxLength: 12 }), async (all) => {
        const made = all.map((make, at) => make(`m${at}`));
        const key = adapter.key(made[0] as BatchMember);
        const members = made.filter((one) => adapter.key(one) === key);
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

  it('is lines of actions and documents, with what belongs to each and to all', () => {
    const search = '?refresh=wait_for&if_seq_no=3&if_primary_term=1&routing=a';
    const write = textMember('a', 'PUT', `/logs/_doc/1${search}`, '{\n"n":1.0}');
    const made = textMember('b', 'POST', '/logs/_doc?op_type=create&refresh=wait_for', '{}');
    expect(adapter.key(write)).toBe(adapter.key(made));
    expect(
      ndjsonBulk({ base: '/es' }).compose([write, made].map((one) => ({ ...one, path: `/es${one.path}` }))),
    ).toEqual({
      method: 'POST',
      path: '/es/_bulk?refresh=wait_for',
      headers: [['content-type', 'application/x-ndjson']],
      body: [
        '{"index":{"_index":"logs","_id":"1","if_seq_no":3,"if_primary_term":1,"routing":"a"}}',
        '{ "n":1.0}',
        '{"create":{"_index":"logs"}}',
        '{}',
        '',
      ].join('\n'),
    });
  });

  it('keeps the version that a type of the vendor tells', () => {
    const type = 'application/vnd.elasticsearch+json; compatible-with=8';
    const one = { ...textMember('a', 'PUT', '/i/_doc/1', '{}'), headers: [['content-type', type]] as const };
    const [header] = adapter.compose([one, one]).headers;
    expect(header).toEqual(['content-type', 'application/vnd.elasticsearch+x-ndjson; compatible-with=8']);
    expect(adapter.key(one)).not.toBe(adapter.key(textMember('a', 'PUT', '/i/_doc/1', '{}')));
  });

  it('says where a document was made', () => {
    const items = [{ index: { _index: 'i', _id: 'a/b', result: 'created', status: 201 } }];
    expect(adapter.outcomes([answer(200, { items })], [textMember('a', 'POST', '/i/_doc', '{}')])).toMatchObject([
      {
        response: {
          headers: [
            ['content-type', 'application/json'],
            ['location', '/i/_doc/a%2Fb'],
          ],
        },
      },
    ]);
    const lone = '{"items":[{"index":{"_index":"i","_id":"\\ud800","status":201}}]}';
    expect(adapter.outcomes([answer(200, lone)], [textMember('a', 'POST', '/i/_doc', '{}')])).toMatchObject([
      { kind: 'answered' },
    ]);
  });

  it('believes no items of another number, action or document', () => {
    const members = ['1', '2'].map((id) => textMember(id, 'PUT', `/i/_doc/${id}`, '{}'));
    const item = (id: string, action = 'index') => ({ [action]: { _id: id, status: 200 } });
    const said = (items: unknown) => adapter.outcomes([answer(200, { items })], members).map(shown);
    const ok = (id: string) => ({ status: 200, body: `{"_id":"${id}"}` });
    expect(said([item('1'), item('2')])).toEqual([ok('1'), ok('2')]);
    expect(said([item('1'), { index: { _id: '2' } }])).toEqual([ok('1'), 'missing']);
    const wrong = [
      [item('1')],
      [item('1'), item('2'), item('2')],
      [item('2'), item('1')],
      [item('1'), item('2', 'create')],
      [{}, {}],
      [1, 2],
      {},
    ];
    for (const items of wrong) expect(said(items), JSON.stringify(items)).toEqual(['missing', 'missing']);
    for (const rubbish of ['<html>', '', '[]', 'null', '{"items":']) {
      expect(adapter.outcomes([answer(200, rubbish)], members).map(shown), rubbish).toEqual(['missing', 'missing']);
    }
    expect(adapter.outcomes([], members).map(shown)).toEqual(['missing', 'missing']);
  });

  it.each([
    ['a search', jsonMember('m', 'POST', '/i/_search', {})],
    ['another bulk', textMember('m', 'POST', '/_bulk', '{}')],
    ['a write of an index', jsonMember('m', 'PUT', '/i', {})],
    ['a write of something inner', jsonMember('m', 'PUT', '/_template/_doc/1', {})],
    ['a write below a document', jsonMember('m', 'PUT', '/i/_doc/1/x', {})],
    ['a parameter that lines have no place for', jsonMember('m', 'PUT', '/i/_doc/1?filter_path=a', {})],
    ['a parameter twice', jsonMember('m', 'PUT', '/i/_doc/1?routing=a&routing=b', {})],
    ['a number that is none', jsonMember('m', 'PUT', '/i/_doc/1?if_seq_no=x', {})],
    ['a way to write that there is not', jsonMember('m', 'PUT', '/i/_doc/1?op_type=delete', {})],
    ['an index by PUT without an id', jsonMember('m', 'PUT', '/i/_doc', {})],
    ['a document that is a list', jsonMember('m', 'PUT', '/i/_doc/1', [])],
    ['what is no JSON', textMember('m', 'PUT', '/i/_doc/1', '{}\n{}')],
    ['a removal with a body', jsonMember('m', 'DELETE', '/i/_doc/1', {})],
    ['a read', member('m', { path: '/i/_doc/1' })],
  ])('leaves out %s', (_, candidate) => {
    expect(adapter.key(candidate)).toBeNull();
    expect(() => adapter.compose([candidate, candidate])).toThrow('no write of one document');
  });

  it('reports all problems of its options', () => {
    expect(() => ndjsonBulk({ base: 'x', maxBytes: 0, countsAs: 'none' } as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: { problems: ['maxBytes', 'countsAs', 'base'].map((path) => expect.objectContaining({ path })) },
      }),
    );
  });
});
