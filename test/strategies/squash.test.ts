import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepEqual } from '../../src/queue/strategies/deepEqual.ts';
import { parseExactly } from '../../src/queue/strategies/exactJson.ts';
import { isJsonObject } from '../../src/queue/strategies/jsonValue.ts';
import { applyMergePatch } from '../../src/queue/strategies/mergePatch.ts';
import type { Squashed, SquashSubject } from '../../src/queue/strategies/squash.ts';
import { SQUASH_TABLE, squash } from '../../src/queue/strategies/squash.ts';
import type { Effect, HeaderList, Json, RequestContent } from '../../src/queue/types/request.ts';
import { anyJson, anyObject } from './support/json.ts';

const JSON_TYPE = ['content-type', 'application/json'] as const;
const MERGE_PATCH = ['content-type', 'application/merge-patch+json'] as const;
const LOCAL_ID = 'local.Ticket.01890a5d-ac96-774b-bcce-b302099a8057';
const KEEP_BOTH = { act: 'keepBoth' };

interface Given extends Partial<Omit<SquashSubject, 'content'>> {
  readonly path?: string;
  readonly headers?: HeaderList;
  readonly fetch?: RequestContent['fetch'];
}

function subject(method: string, body: Json | Uint8Array | undefined, given: Given = {}): SquashSubject {
  const { path = '/t/1', headers = [], fetch, ...rest } = given;
  const isText = typeof body === 'string' || body instanceof Uint8Array;
  const content = {
    method,
    path,
    headers,
    body: body === undefined ? null : isText ? body : JSON.stringify(body),
    fetch,
  };
  return { content, effect: 'absolute', base: null, intent: undefined, ...rest };
}

const put = (body: Json | Uint8Array, given: Given = {}) =>
  subject('PUT', body, { ...given, headers: [JSON_TYPE, ...(given.headers ?? [])] });
const patch = (body: Json, given: Given = {}) =>
  subject('PATCH', body, { ...given, headers: [MERGE_PATCH, ...(given.headers ?? [])] });
const plainPatch = (body: Json) => subject('PATCH', body, { headers: [JSON_TYPE] });
const remove = (given: Given = {}) => subject('DELETE', undefined, { effect: 'delete', ...given });
const putNew = (body: Json) => put(body, { headers: [['if-none-match', '*']] });
const postNew = (body: Json, path = '/t') =>
  subject('POST', body, { path, effect: 'create', headers: [JSON_TYPE], intent: { localId: LOCAL_ID } });
const onNew = { path: `/t/${LOCAL_ID}` };

/** Method and body, or what else became of them. */
function made(squashed: Squashed): unknown {
  if (squashed.act !== 'merge') return squashed.act === 'refuse' ? squashed.why : squashed.act;
  const { method, body } = squashed.content;
  return [method, typeof body === 'string' ? JSON.parse(body) : body];
}

describe('squash', () => {
  it.each<[what: string, existing: SquashSubject, incoming: SquashSubject, result: unknown]>([
    ['two PUTs', put({ a: 1 }), put({ a: 2, b: 0 }), ['PUT', { a: 2, b: 0 }]],
    ['a PUT of fewer fields', put({ a: 1, b: 1 }), put({ a: 2 }), 'keepBoth'],
    ['two PUTs of lists', put([1]), put([2]), ['PUT', [2]]],
    ['a PUT and its patch', put({ a: 1, b: 1 }), patch({ b: false, c: 0 }), ['PUT', { a: 1, b: false, c: 0 }]],
    ['a PUT and a patch of what it leaves out', put({ a: 1 }), patch({ b: { x: 1 } }), 'keepBoth'],
    ['a PUT and a patch inside of it', put({ a: { x: 1 } }), patch({ a: { y: 1 } }), ['PUT', { a: { x: 1, y: 1 } }]],
    ['a PUT and a removal from it', put({ a: 1, b: 1 }), patch({ b: null }), 'keepBoth'],
    [
      'two patches',
      patch({ a: 1, b: { x: 1 } }),
      patch({ a: null, b: { y: 2 } }),
      ['PATCH', { a: null, b: { x: 1, y: 2 } }],
    ],
    ['patches that cannot be one', patch({ a: null }), patch({ a: { x: 1 } }), 'keepBoth'],
    ['a patch and a PUT over it', patch({ a: null }), put({ a: 1, b: 1 }), ['PUT', { a: 1, b: 1 }]],
    ['a patch and a PUT beside it', patch({ a: 1 }), put({ b: 1 }), 'keepBoth'],
    ['two patches of plain JSON', plainPatch({ a: 1, b: 0 }), plainPatch({ b: null }), ['PATCH', { a: 1, b: null }]],
    ['plain patches of one object', plainPatch({ a: { x: 1 } }), plainPatch({ a: { y: 1 } }), 'keepBoth'],
    ['a PUT and a plain patch of it', put({ a: 1 }), plainPatch({ a: false }), ['PUT', { a: false }]],
    ['a plain patch that sets null', put({ a: 1 }), plainPatch({ a: null }), 'keepBoth'],
    ['patches of different types', patch({ a: 1 }), plainPatch({ a: 2 }), 'keepBoth'],
    ['a list of operations', put({ a: 1 }), plainPatch([{ op: 'remove', path: '/a' }]), 'keepBoth'],
    ['a change and a delete', put({ a: 1 }), remove(), ['DELETE', null]],
    ['two deletes', remove(), remove(), ['DELETE', null]],
    ['a delete and a PUT that makes it anew', remove(), putNew({ a: 1 }), ['PUT', { a: 1 }]],
    ['a delete and a PUT that may make it anew', remove(), put({ a: 1 }), 'keepBoth'],
    ['a delete and a change', remove(), patch({ a: 1 }), 'deleted'],
    ['a delete and a conditional PUT', remove(), put({ a: 1 }, { headers: [['if-match', '"1"']] }), 'deleted'],
    ['a delete and a relative change', remove(), patch({ add: 1 }, { effect: 'relative' }), 'deleted'],
    ['a PUT that makes it, and a change', putNew({ a: 1 }), patch({ b: 1 }), ['PUT', { a: 1, b: 1 }]],
    ['a PUT that makes it, and a delete', putNew({ a: 1 }), remove(), 'annihilate'],
    ['two PUTs that make it', putNew({ a: 1 }), putNew({ a: 1 }), 'exists'],
    ['a change and a PUT that makes it', put({ a: 1 }), putNew({ a: 1 }), 'exists'],
    ['a create and a PUT', postNew({ a: 1 }), put({ a: 2, b: 1 }, onNew), ['POST', { a: 2, b: 1 }]],
    ['a create and a PUT of fewer fields', postNew({ a: 1 }), put({ b: 1 }, onNew), 'keepBoth'],
    ['a create and a patch', postNew({ a: 1, b: 1 }), patch({ a: null }, onNew), ['POST', { b: 1 }]],
    ['a create and a change that names it', postNew({ a: 1 }), patch({ id: LOCAL_ID }, onNew), 'keepBoth'],
    ['a create and a delete', postNew({ a: 1 }), remove(onNew), 'annihilate'],
    ['a create and a delete below it', postNew({ a: 1 }), remove({ path: `${onNew.path}/notes/1` }), 'keepBoth'],
    ['a create and a change of another', postNew({ a: 1 }), patch({ a: 2 }), 'keepBoth'],
    ['a create with a slash and a delete', postNew({ a: 1 }, '/t/'), remove(onNew), 'annihilate'],
    ['two creates', postNew({ a: 1 }), postNew({ a: 1 }), 'keepBoth'],
    ['a PUT and a create below it', put({ a: 1 }, { path: '/t' }), postNew({ a: 1 }), 'keepBoth'],
    ['a change of another path', put({ a: 1 }), put({ a: 2 }, { path: '/t/1/b' }), 'keepBoth'],
    ['a delete of another path', put({ a: 1 }), remove({ path: '/t/2' }), 'keepBoth'],
  ])('of %s', (_, existing, incoming, result) => {
    expect(made(squash(existing, incoming))).toEqual(result);
  });

  it.each<[effect: Effect]>([['action'], ['relative'], ['read']])('never touches what is a %s', (effect) => {
    expect(squash(patch({ a: 1 }, { effect }), patch({ a: 2 }, { effect }))).toEqual(KEEP_BOTH);
    expect(squash(patch({ a: 1 }, { effect }), put({ a: 2 }))).toEqual(KEEP_BOTH);
    expect(squash(patch({ a: 1 }, { effect }), remove())).toEqual(KEEP_BOTH);
    expect(squash(put({ a: 1 }), patch({ a: 1 }, { effect }))).toEqual(KEEP_BOTH);
    expect(squash(putNew({ a: 1 }), patch({ a: 1 }, { effect }))).toEqual(KEEP_BOTH);
  });

  it.each<[what: string, existing: SquashSubject, incoming: SquashSubject]>([
    ['is no JSON by its type', subject('PUT', '{}'), subject('PUT', '{}')],
    ['is no JSON', put('{'), put('{}')],
    ['was no JSON', put('{}'), put('{"a":')],
    ['is nothing', put({}), subject('PUT', undefined, { headers: [JSON_TYPE] })],
    ['is no text', put(new Uint8Array([123, 34, 255, 34, 58, 49, 125])), patch({ a: 1 })],
    ['holds a number that would be rounded', put('{"id":12345678901234567890}'), patch({ a: 1 })],
    ['has a fraction that would be rounded', put({ a: 1 }), patch('{"a":0.12345678901234567890}')],
    ['has a key twice', put('{"a":1,"a":2}'), patch({ b: 1 })],
    [
      'is JSON of another type',
      put({ a: 1 }),
      subject('PUT', { a: 2 }, { headers: [['content-type', 'application/x+json']] }),
    ],
  ])('keeps both where a body %s', (_, existing, incoming) => {
    expect(squash(existing, incoming)).toEqual(KEEP_BOTH);
  });

  it('reads bodies of bytes', () => {
    expect(made(squash(put(new TextEncoder().encode('{"a":"é"}')), patch({ b: 1 })))).toEqual([
      'PUT',
      { a: 'é', b: 1 },
    ]);
  });

  it('keeps both where a header or the way of sending tells them apart', () => {
    const tenant = (name: string): Given => ({ headers: [['x-tenant', name]] });
    expect(squash(put({ a: 1 }, tenant('a')), put({ a: 2 }, tenant('b')))).toEqual(KEEP_BOTH);
    expect(squash(put({ a: 1 }, tenant('a')), remove(tenant('b')))).toEqual(KEEP_BOTH);
    expect(squash(put({ a: 1 }, tenant('a')), put({ a: 2 }, tenant('a'))).act).toBe('merge');
    expect(squash(put({ a: 1 }, { fetch: {} }), put({ a: 2 }))).toEqual(KEEP_BOTH);
    expect(squash(put({ a: 1 }, { fetch: { redirect: 'manual' } }), put({ a: 2 }, { fetch: {} }))).toEqual(KEEP_BOTH);
    const terms = { cache: 'no-store', mode: undefined };
    expect(squash(put({ a: 1 }, { fetch: terms }), put({ a: 2 }, { fetch: { cache: 'no-store' } })).act).toBe('merge');
    expect(squash(put({ a: 1 }), put({ a: 2 }, { headers: [['accept', '*/*']] })).act).toBe('merge');
  });

  it.each<[what: string, existing: HeaderList, incoming: HeaderList, kept: HeaderList]>([
    ['the earliest', [['if-match', '"1"']], [['if-match', '"2"']], [['if-match', '"1"']]],
    [
      'the earliest of another kind',
      [['if-unmodified-since', 'x']],
      [['if-match', '"2"']],
      [['if-unmodified-since', 'x']],
    ],
    ['the only one', [], [['if-match', '"2"']], [['if-match', '"2"']]],
    ['none', [], [], []],
  ])('keeps %s precondition', (_, existing, incoming, kept) => {
    const base = { a: 0 };
    const cases: readonly (readonly [SquashSubject, SquashSubject])[] = [
      [put({ a: 1 }, { headers: existing, base }), put({ a: 2 }, { headers: incoming, base: { a: 1 } })],
      [put({ a: 1 }, { headers: existing, base }), patch({ a: 2 }, { headers: incoming, base: { a: 1 } })],
      [patch({ a: 1 }, { headers: existing, base }), remove({ headers: incoming, base: { a: 1 } })],
    ];
    for (const [first, second] of cases) {
      const squashed = squash(first, second);
      expect(squashed).toMatchObject({ act: 'merge', base });
      const headers = squashed.act === 'merge' ? squashed.content.headers : [];
      expect(headers.filter(([name]) => name.startsWith('if-'))).toEqual(kept);
    }
  });

  it('does not take a later base for that of a change whose base is not known', () => {
    expect(squash(put({ a: 1 }), put({ a: 2 }, { base: { a: 1 } }))).toMatchObject({ base: null });
  });

  it('leaves a create what it is', () => {
    const create = postNew({ a: 1 });
    const later = patch({ b: 1 }, { ...onNew, headers: [['if-match', '"1"']], intent: { resource: 'ticket' } });
    expect(squash(create, later)).toEqual({
      act: 'merge',
      content: { ...create.content, body: '{"a":1,"b":1}' },
      effect: 'create',
      base: null,
      intent: { localId: LOCAL_ID },
    });
  });

  it('makes a change of a delete and a create, on the version of the delete', () => {
    const squashed = squash(remove({ headers: [['if-match', '"1"']], base: { a: 0 } }), putNew({ a: 1 }));
    expect(squashed).toMatchObject({
      effect: 'absolute',
      base: { a: 0 },
      content: { method: 'PUT', headers: [JSON_TYPE, ['if-match', '"1"']] },
    });
  });

  it('leaves the first of two deletes as it is', () => {
    const first = remove();
    expect(squash(first, remove({ headers: [['if-match', '"1"']] }))).toMatchObject({ content: first.content });
  });

  it('has a cell for every pair of kinds', () => {
    const kinds = Object.keys(SQUASH_TABLE);
    for (const row of Object.values(SQUASH_TABLE)) expect(Object.keys(row).sort()).toEqual([...kinds].sort());
  });
});

/** What a server has after a request. `isWhole`: a PUT is the whole thing, not just the fields it has. */
function stateAfter(
  state: Json | undefined,
  { content }: Pick<SquashSubject, 'content'>,
  isWhole: boolean,
): Json | undefined {
  const { method, headers } = content;
  const body = typeof content.body === 'string' ? (JSON.parse(content.body) as Json) : null;
  if (method === 'DELETE') return undefined;
  if (method === 'PATCH') return state === undefined ? undefined : applyMergePatch(state, body);
  const isNew = headers.some(([name]) => name === 'if-none-match');
  if (isNew && state !== undefined) return state;
  const isOver = !isWhole && isJsonObject(state) && isJsonObject(body);
  return isOver ? Object.fromEntries([...Object.entries(state), ...Object.entries(body)]) : body;
}

describe('two changes that became one', () => {
  const change = fc.oneof(
    anyObject.map((body) => put(body)),
    anyObject.map((body) => patch(body)),
    anyObject.map((body) => putNew(body)),
    fc.constant(remove()),
  );
  /** Often one that has all fields of the other. */
  const pair = fc.oneof(
    fc.tuple(change, change),
    fc.tuple(anyObject, anyObject).map(([a, b]) => [put(a), put({ ...a, ...b })] as const),
  );

  it('leave on the server what both leave, one after the other', () => {
    const states = fc.option(anyObject, { nil: undefined });
    let merged = 0;
    fc.assert(
      fc.property(states, pair, fc.boolean(), (given, [first, second], isWhole) => {
        const squashed = squash(first, second);
        if (squashed.act !== 'merge' && squashed.act !== 'annihilate') return;
        const isMade = first.content.headers.some(([name]) => name === 'if-none-match');
        const state = isMade ? undefined : given;
        const both = stateAfter(stateAfter(state, first, isWhole), second, isWhole);
        const one = squashed.act === 'merge' ? stateAfter(state, squashed, isWhole) : state;
        merged += 1;
        // A new thing in the place of the old one is put over it, which on a server that takes the fields for what they are leaves others.
        if (first.content.method === 'DELETE' && !isWhole) return;
        expect(one === both || (one !== undefined && both !== undefined && deepEqual(one, both))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
    expect(merged).toBeGreaterThan(100);
  });
});

describe('parseExactly', () => {
  it.each([
    ['12345678901234567890', false],
    ['9007199254740993', false],
    ['9007199254740992', true],
    ['0.1', true],
    ['0.10', true],
    ['1.0', true],
    ['1e3', true],
    ['100E-2', true],
    ['-0', true],
    ['1e400', false],
    ['1e-400', false],
    ['0.12345678901234567890', false],
    ['123456789012345678', false],
    ['1e21', true],
    ['"12345678901234567890: \\" 1e400"', true],
    ['{"a:b":1,"c":[{"d":2}]}', true],
    ['{"a":1,"a":1}', false],
    ['{"\\u0061":1,"a":1}', false],
    ['{"__proto__":1}', true],
    ['[1,2', false],
    ['', false],
  ])('reads %s only if nothing is lost: %s', (text, isExact) => {
    expect(parseExactly(text) !== undefined).toBe(isExact);
  });

  it('reads whatever was written', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anyJson,
          fc.json().map((text) => JSON.parse(text) as Json),
        ),
        (value) => {
          expect(parseExactly(JSON.stringify(value)) !== undefined).toBe(true);
        },
      ),
    );
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) => parseExactly(`${n}`) !== undefined),
    );
  });

  it('does not read what is nested too deep', () => {
    expect(parseExactly(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)).toBe(undefined);
  });
});
