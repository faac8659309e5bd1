import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { graphqlBatch } from '../../../src/client/batch/graphqlBatch.ts';
import { graphqlOperation } from '../../../src/client/batch/graphqlOperation.ts';
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

interface Operation {
  readonly query: string;
  readonly variables?: Record<string, Json>;
}

/** Knows one field, `echo`, and counts what was mutated. */
function graphql(state: { count: number }, { text }: Asked): Reply {
  const run = ({ query, variables }: Operation): Json => {
    if (query.includes('mutation')) {
      state.count += 1;
      return { data: { count: state.count } };
    }
    const { value = null } = variables ?? {};
    if (!query.includes('echo')) return { errors: [{ message: 'no such field' }] };
    return value === 'partly' ? { data: { echo: null }, errors: [{ path: ['echo'] }] } : { data: { echo: value } };
  };
  const given = JSON.parse(text) as Operation | Operation[];
  return { status: 200, body: Array.isArray(given) ? given.map(run) : run(given) };
}

const post = (id: string, operation: object, path = '/graphql') => jsonMember(id, 'POST', path, operation);

const anyOperation = fc.oneof(
  fc
    .jsonValue({ maxDepth: 2 })
    .map((value) => ({ query: 'query Q($value: X) { echo(value: $value) }', variables: { value } })),
  fc.constantFrom('{ nothing }', '{ echo }').map((query) => ({ query, variables: { value: 'partly' } })),
);

describe('an array of operations', () => {
  it('answers each as by itself', async () => {
    const server = await serve(() => ({ count: 0 }), graphql);
    const adapter = graphqlBatch();
    await fc.assert(
      fc.asyncProperty(fc.array(anyOperation, { minLength: 2, maxLength: 10 }), async (all) => {
        const members = all.map((operation, at) => post(`m${at}`, operation));
        expect(new Set(members.map((one) => adapter.key(one))).size).toBe(1);
        const alone = await sendAlone(server.origin, members);
        server.reset();
        expect(byId(await sendTogether(server.origin, adapter, members))).toEqual(alone);
        expect(server.calls()).toBe(1);
      }),
      { numRuns: 15 },
    );
  });

  it('runs mutations in their order where they may be together', async () => {
    const server = await serve(() => ({ count: 0 }), graphql);
    const adapter = graphqlBatch({ mutations: 'together' });
    const members = ['a', 'b', 'c'].map((id) => post(id, { query: 'mutation { count }' }));
    const alone = await sendAlone(server.origin, members);
    server.reset();
    expect(byId(await sendTogether(server.origin, adapter, members))).toEqual(alone);
  });

  it('has no mutations unless asked, and then no queries beside them', () => {
    const query = post('a', { query: '{ mutation }' });
    const mutation = post('b', { query: '# query\nmutation M { x }' });
    expect(graphqlBatch().key(query)).not.toBeNull();
    expect(graphqlBatch().key(mutation)).toBeNull();
    const together = graphqlBatch({ mutations: 'together' });
    expect(together.key(mutation)).not.toBeNull();
    expect(together.key(mutation)).not.toBe(together.key(query));
  });

  it('takes a stored operation for a mutation, unless somebody calls it a read', () => {
    const stored = post('a', { extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } });
    expect(graphqlBatch().key(stored)).toBeNull();
    expect(graphqlBatch().key({ ...stored, effect: 'read' })).not.toBeNull();
  });

  it('is of one path, one query string and the same headers, but for those that do not matter', () => {
    const adapter = graphqlBatch({ ignoreHeaders: ['X-Operation'] });
    const key = (path: string, ...headers: [string, string][]) =>
      adapter.key({
        ...post('a', { query: '{ a }' }, path),
        headers: [['content-type', 'application/json'], ...headers],
      });
    expect(key('/graphql', ['x-operation', 'A'], ['traceparent', '1'])).toBe(key('/graphql', ['x-operation', 'B']));
    const keys = [key('/graphql'), key('/graphql?v=2'), key('/graphql', ['accept-language', 'de'])];
    expect(new Set(keys).size).toBe(3);
    expect(
      adapter.compose([post('a', { query: '{ a }' }, '/graphql?v=2'), post('b', { query: '{ b }' }, '/graphql?v=2')]),
    ).toEqual({
      method: 'POST',
      path: '/graphql?v=2',
      headers: [['content-type', 'application/json']],
      body: '[{"query":"{ a }"},{"query":"{ b }"}]',
    });
  });

  it.each([
    ['of another path', post('m', { query: '{ a }' }, '/graph')],
    ['by GET', member('m', { path: '/graphql?query={a}' })],
    ['that is an array itself', post('m', [{ query: '{ a }' }])],
    ['that is no JSON', textMember('m', 'POST', '/graphql', '{ a }')],
    ['that goes on', post('m', { query: 'subscription { a }' })],
    [
      'that may be answered in parts',
      { ...post('m', { query: '{ a }' }), headers: [['accept', 'multipart/mixed']] as const },
    ],
  ])('leaves out an operation %s', (_, candidate) => {
    expect(graphqlBatch({ mutations: 'together' }).key(candidate)).toBeNull();
    expect(() => graphqlBatch().compose([candidate, candidate])).toThrow('no operation');
  });

  it('believes no entries of another number, and none that is no result', () => {
    const members = ['a', 'b'].map((id) => post(id, { query: '{ a }' }));
    const said = (body: unknown) =>
      graphqlBatch()
        .outcomes([answer(200, body)], members)
        .map(shown);
    const ok = { data: null };
    expect(said([ok, { errors: [] }])).toEqual([
      { status: 200, body: '{"data":null}' },
      { status: 200, body: '{"errors":[]}' },
    ]);
    expect(said([ok, null])).toEqual([{ status: 200, body: '{"data":null}' }, 'missing']);
    for (const wrong of [[ok], [ok, ok, ok], { errors: [{ message: 'batching is off' }] }, '<html>', '', 'null']) {
      expect(said(wrong), JSON.stringify(wrong)).toEqual(['missing', 'missing']);
    }
    expect(graphqlBatch().outcomes([], members).map(shown)).toEqual(['missing', 'missing']);
  });

  it('has all problems of its options reported at once', () => {
    expect(() => graphqlBatch({ path: 'graphql', mutations: 'never', mutation: 1 } as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: { problems: ['mutation', 'path', 'mutations'].map((path) => expect.objectContaining({ path })) },
      }),
    );
  });
});

describe('the kind of a document', () => {
  it.each([
    ['{ a }', 'query'],
    ['query Mutation($a: I = {x: "}"}) @d(a: {b: 1}) { mutation }', 'query'],
    ['"a mutation" query { a }', 'query'],
    ['fragment F on mutation { a } query Q { ...F }', 'query'],
    ['query A { a } mutation B { b }', 'mutation'],
    ['mutation{a}', 'mutation'],
    ['{ a(t: """ } "quoted" \\""" """) } mutation B { b }', 'mutation'],
    ['{ a # }\n} # mutation\nmutation B { b }', 'mutation'],
    ['subscription { a }', 'subscription'],
    ['', 'mutation'],
    ['fragment F on A { a }', 'mutation'],
    ['{ a ', 'mutation'],
    ['{ a(t: "unended) } mutation { b }', 'mutation'],
    ['extend type A { a }', 'mutation'],
    ['{ a } '.repeat(100_000), 'mutation'],
    [`{ a(t: "${'\\"'.repeat(100_000)}`, 'mutation'],
    [`{ a(t: """${'"x'.repeat(100_000)}`, 'mutation'],
  ])('of document %# is found', (document, kind) => {
    expect(graphqlOperation(document)).toBe(kind);
  });
});
