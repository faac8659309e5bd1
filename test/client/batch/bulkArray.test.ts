import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bulkArray } from '../../../src/client/batch/bulkArray.ts';
import type { BulkArrayOptions } from '../../../src/client/batch/bulkArrayOptions.ts';
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

const NAMES = ['ann', '', 'taken', 'ünï😀', 'slow', '"', '\\', '{type}', '__proto__'];

/** Contacts as HubSpot has them: created singly or as `inputs`, told apart by a trace id, results and errors apart. */
function contacts(state: Map<string, Json>, { path, text }: Asked): Reply {
  const create = (
    properties: Record<string, string>,
  ): { readonly made?: Json; readonly error?: { readonly category: string; readonly [key: string]: Json } } => {
    const { name = '' } = properties;
    if (name === '') return { error: { status: 'error', category: 'VALIDATION_ERROR', message: 'a name is needed' } };
    if (name === 'taken') return { error: { status: 'error', category: 'CONFLICT', message: `"${name}" exists` } };
    const made = { id: `c-${name}`, properties };
    state.set(name, made);
    return { made };
  };
  const statuses: Record<string, number> = { VALIDATION_ERROR: 400, CONFLICT: 409 };
  if (path === '/crm/v3/objects/contacts') {
    const { made, error } = create((JSON.parse(text) as { properties: Record<string, string> }).properties);
    return error === undefined ? { status: 201, body: made } : { status: statuses[error.category] ?? 500, body: error };
  }
  const { inputs } = JSON.parse(text) as {
    inputs: { properties: Record<string, string>; objectWriteTraceId: string }[];
  };
  const results: Json[] = [];
  const errors: Json[] = [];
  for (const { properties, objectWriteTraceId } of inputs.reverse()) {
    const { made, error } = create(properties);
    if (error !== undefined) errors.push({ ...error, context: { objectWriteTraceId: [objectWriteTraceId] } });
    else results.push({ ...(made as object), objectWriteTraceId });
  }
  return {
    status: errors.length === 0 ? 201 : 207,
    body: { status: 'COMPLETE', results, errors, numErrors: errors.length },
  };
}

const HUBSPOT: BulkArrayOptions = {
  name: 'hubspot-create',
  method: 'POST',
  path: '/crm/v3/objects/{type}',
  bulk: { path: '/crm/v3/objects/{type}/batch/create', inputs: '/inputs' },
  match: { by: 'echo', field: 'objectWriteTraceId', error: '/context/objectWriteTraceId' },
  answer: {
    results: '/results',
    errors: '/errors',
    failed: (error) => {
      const { context: _, ...body } = error as { context: Json; category: string };
      return { status: body.category === 'CONFLICT' ? 409 : 400, body };
    },
  },
};

/** Records as Salesforce has them: a list by position, which is no failure of the call. */
function records(state: Map<string, Json>, { method, path, text }: Asked): Reply {
  const update = (type: string, id: string, fields: Record<string, Json>): Json[] => {
    const { Name: name } = fields;
    if (name === 'taken') return [{ statusCode: 'DUPLICATE_VALUE', message: 'exists', fields: ['Name'] }];
    if (name === 'slow') return [{ statusCode: 'UNABLE_TO_LOCK_ROW', message: 'later', fields: [] }];
    state.set(`${type}/${id}`, fields);
    return [];
  };
  if (path === '/composite/sobjects') {
    const { allOrNone, records } = JSON.parse(text) as { allOrNone: boolean; records: Record<string, Json>[] };
    if (allOrNone || method !== 'PATCH') return { status: 400, body: [] };
    const results = records.map(({ attributes, id, ...fields }) => {
      const errors = update((attributes as { type: string }).type, String(id), fields);
      return { id, success: errors.length === 0, errors };
    });
    return { status: 200, body: results };
  }
  const [type = '', id = ''] = path.split('/').slice(2).map(decodeURIComponent);
  const errors = update(type, id, JSON.parse(text) as Record<string, Json>);
  if (errors.length === 0) return { status: 204 };
  return { status: JSON.stringify(errors).includes('LOCK') ? 503 : 400, body: errors };
}

const SALESFORCE: BulkArrayOptions = {
  name: 'sobjects',
  method: 'PATCH',
  path: '/sobjects/{type}/{id}',
  bulk: { path: '/composite/sobjects', inputs: '/records', fields: { allOrNone: false } },
  entry: { add: { attributes: { type: '{type}' }, id: '{id}' } },
  match: { by: 'position' },
  answer: {
    success: '/success',
    succeeded: 204,
    failed: (item) => {
      const { errors } = item as { errors: Json };
      return { status: JSON.stringify(errors).includes('LOCK') ? 503 : 400, body: errors };
    },
  },
  maxItems: 200,
};

/** Plain arrays with a status for each. */
const PLAIN: BulkArrayOptions = {
  method: 'PUT',
  path: '/notes/{id}',
  bulk: { method: 'POST', path: '/notes/bulk' },
  entry: { wrap: '/note', add: { key: '{id:number}' } },
  match: { by: 'id', result: '/key' },
  answer: { status: '/status', unwrap: '/body', retryAfter: '/retryAfter' },
};

/** Notes by number, which have to be texts. */
function notes(state: Map<number, Json>, { path, text }: Asked): Reply {
  const put = (key: number, note: Json): { readonly status: number; readonly body?: Json } => {
    if (typeof note !== 'string') return { status: 422, body: { key, error: 'no text' } };
    const isNew = !state.has(key);
    state.set(key, note);
    return { status: isNew ? 201 : 200, body: { key, note, seen: 1.5 } };
  };
  if (path !== '/notes/bulk') return put(Number(path.slice('/notes/'.length)), JSON.parse(text) as Json);
  const all = JSON.parse(text) as { key: number; note: Json }[];
  const done = all.map(({ key, note }) => ({ key, ...put(key, note) }));
  return {
    status: 200,
    body: done.map((one) => (one.status < 400 ? one : { status: one.status, ...(one.body as object) })).reverse(),
  };
}

describe('writes as an array', () => {
  const names = fc.array(fc.constantFrom(...NAMES), { minLength: 2, maxLength: 9 });

  it('answer each as by itself, told apart by what they echo', async () => {
    const server = await serve(() => new Map<string, Json>(), contacts);
    const adapter = bulkArray(HUBSPOT);
    await fc.assert(
      fc.asyncProperty(names, async (all) => {
        const members = all.map((name, at) =>
          jsonMember(`m"${at}`, 'POST', '/crm/v3/objects/contacts', { properties: { name } }),
        );
        server.reset();
        const alone = await sendAlone(server.origin, members);
        server.reset();
        expect(byId(await sendTogether(server.origin, adapter, members))).toEqual(alone);
        expect(server.calls()).toBe(1);
      }),
      { numRuns: 15 },
    );
  });

  it('answer each as by itself, told apart by position', async () => {
    const server = await serve(() => new Map<string, Json>(), records);
    const adapter = bulkArray(SALESFORCE);
    const types = fc.constantFrom('Account', 'Lead');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(types, fc.constantFrom(...NAMES)), { minLength: 2, maxLength: 9 }),
        async (all) => {
          const members = all.map(([type, Name], at) =>
            jsonMember(`m${at}`, 'PATCH', `/sobjects/${type}/0${at}%20x`, { Name }),
          );
          server.reset();
          const alone = await sendAlone(server.origin, members);
          server.reset();
          expect(byId(await sendTogether(server.origin, adapter, members))).toEqual(alone);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('answer each as by itself, told apart by their ids', async () => {
    const server = await serve(() => new Map<number, Json>(), notes);
    const adapter = bulkArray(PLAIN);
    const all = fc.uniqueArray(fc.tuple(fc.nat(99), fc.oneof(fc.string(), fc.integer())), {
      minLength: 2,
      selector: ([id]) => id,
    });
    await fc.assert(
      fc.asyncProperty(all, async (given) => {
        const members = given.map(([id, note], at) => jsonMember(`m${at}`, 'PUT', `/notes/${id}`, note));
        server.reset();
        const alone = await sendAlone(server.origin, members);
        server.reset();
        const together = byId(await sendTogether(server.origin, adapter, members));
        const refused = new Set(members.filter(({ body }) => !String(body).startsWith('"')).map(({ id }) => id));
        for (const [id, outcome] of Object.entries(together)) {
          if (refused.has(id)) expect(outcome).toMatchObject({ status: 422 });
          else expect(outcome).toEqual(alone[id]);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('put numbers and repeated keys into the array as they were given', () => {
    const members = ['{"a":12345678901234567890,"a":1.0}', ' { } '].map((body, at) =>
      textMember(`m${at}`, 'PATCH', `/sobjects/T/${at}`, body),
    );
    expect(bulkArray(SALESFORCE).compose(members)).toEqual({
      method: 'PATCH',
      path: '/composite/sobjects',
      headers: [['content-type', 'application/json']],
      body:
        '{"allOrNone":false,"records":[{"a":12345678901234567890,"a":1.0,"attributes":{"type":"T"},"id":"0"},' +
        '{"attributes":{"type":"T"},"id":"1"}]}',
    });
  });

  it('without bodies are done by an answer that has none', () => {
    const adapter = bulkArray({
      method: 'DELETE',
      path: '/things/{id}',
      bulk: { method: 'POST', path: '/things/archive', inputs: '/inputs' },
      entry: { add: { id: '{id}' } },
      match: { by: 'id' },
    });
    const members = ['a%2Fb', '__proto__'].map((id, at) =>
      member(`m${at}`, { method: 'DELETE', path: `/things/${id}` }),
    );
    expect(adapter.compose(members)).toMatchObject({
      method: 'POST',
      body: '{"inputs":[{"id":"a/b"},{"id":"__proto__"}]}',
    });
    expect(byId(adapter.outcomes([{ status: 204, headers: [], body: new Uint8Array() }], members))).toEqual({
      m0: { status: 204, body: '' },
      m1: { status: 204, body: '' },
    });
  });

  it('leave in doubt what the answer does not name once and clearly', () => {
    const adapter = bulkArray(HUBSPOT);
    const members = ['a', 'b', 'c'].map((id) => jsonMember(id, 'POST', '/crm/v3/objects/contacts', { properties: {} }));
    const result = (objectWriteTraceId: unknown, id = 1) => ({ id, objectWriteTraceId });
    const said = (results: unknown, errors: unknown = []) =>
      byId(adapter.outcomes([answer(207, { results, errors })], members));
    const one = { status: 201, body: '{"id":1}' };
    const nothing = { a: 'missing', b: 'missing', c: 'missing' };
    expect(said([result('c'), result('a')])).toEqual({ a: one, b: 'missing', c: one });
    expect(said([result('a'), result('a', 2), result('z'), null, 7, result(['b'])])).toEqual(nothing);
    expect(said([result('a'), result('a')])).toEqual({ ...nothing, a: one });
    expect(said([result('a')], [{ context: { objectWriteTraceId: ['a', 'b'] } }])).toEqual({
      ...nothing,
      b: { status: 400, body: '{}' },
    });
    expect(said([result('a')], [{ category: 'CONFLICT', context: { objectWriteTraceId: 'b' } }])).toMatchObject({
      b: { status: 409 },
    });
    expect(said('rubbish', null)).toEqual(nothing);
    for (const rubbish of ['<html>', '', '[]', '{"results":[{}']) {
      expect(byId(adapter.outcomes([answer(200, rubbish)], members)), rubbish).toEqual(nothing);
    }
    expect(byId(adapter.outcomes([], members))).toEqual(nothing);
  });

  it('believe no position in a list of another length', () => {
    const adapter = bulkArray(SALESFORCE);
    const members = ['1', '2'].map((id) => jsonMember(id, 'PATCH', `/sobjects/T/${id}`, {}));
    const ok = { success: true };
    const said = (body: unknown) => Object.values(byId(adapter.outcomes([answer(200, body)], members)));
    expect(said([ok, ok])).toEqual([
      { status: 204, body: '' },
      { status: 204, body: '' },
    ]);
    for (const list of [[ok], [ok, ok, ok], [], {}]) expect(said(list)).toEqual(['missing', 'missing']);
    expect(said([ok, null])).toEqual([{ status: 204, body: '' }, 'missing']);
    expect(said([ok, { success: 'yes' }])).toEqual([{ status: 204, body: '' }, 'missing']);
  });

  it('have the status of an item, and its Retry-After', () => {
    const adapter = bulkArray(PLAIN);
    const members = ['1', '2', '3', '4'].map((id) => jsonMember(id, 'PUT', `/notes/${id}`, 'x'));
    const items = [
      { key: 1, status: 429, retryAfter: 7 },
      { key: 2, status: 'no' },
      { key: 3, status: 700 },
      { key: 4, body: 5 },
    ];
    const outcomes = adapter.outcomes([answer(200, items)], members);
    expect(outcomes.map(shown)).toEqual([
      { status: 429, body: '{"key":1,"status":429,"retryAfter":7}' },
      'missing',
      'missing',
      { status: 200, body: '5' },
    ]);
    expect(outcomes[0]).toMatchObject({
      response: {
        headers: [
          ['content-type', 'application/json'],
          ['retry-after', '7'],
        ],
      },
    });
  });

  it('are in doubt where nobody can say what a failure means', () => {
    const members = ['1', '2'].map((id) => jsonMember(id, 'PATCH', `/sobjects/T/${id}`, {}));
    const failed = { success: false };
    const rubbish: unknown[] = [
      undefined,
      null,
      { status: 200 },
      { status: 400, body: () => 1 },
      Promise.resolve(),
      'x',
    ];
    const fails = () => {
      throw new Error('a slip');
    };
    for (const say of [fails, ...rubbish.map((value) => () => value as never)]) {
      const adapter = bulkArray({ ...SALESFORCE, answer: { success: '/success', failed: say } });
      expect(adapter.outcomes([answer(200, [failed, failed])], members).map(shown)).toEqual(['missing', 'missing']);
    }
  });

  it.each([
    ['of another method', jsonMember('m', 'PUT', '/sobjects/T/1', {})],
    ['of another path', jsonMember('m', 'PATCH', '/sobjects/T', {})],
    [
      'with a precondition',
      { ...jsonMember('m', 'PATCH', '/sobjects/T/1', {}), headers: [['if-match', '"1"']] as const },
    ],
    ['that is no JSON', textMember('m', 'PATCH', '/sobjects/T/1', 'a=1')],
    [
      'of another type',
      { ...jsonMember('m', 'PATCH', '/sobjects/T/1', {}), headers: [['content-type', 'text/xml']] as const },
    ],
    ['that is an array itself', jsonMember('m', 'PATCH', '/sobjects/T/1', [])],
    ['that has an added field already', jsonMember('m', 'PATCH', '/sobjects/T/1', { id: 2 })],
    ['without a body', member('m', { method: 'PATCH', path: '/sobjects/T/1' })],
  ])('go alone: a write %s', (_, candidate) => {
    expect(bulkArray(SALESFORCE).key(candidate)).toBeNull();
    expect(() => bulkArray(SALESFORCE).compose([candidate, candidate])).toThrow('none of its single requests');
  });

  it('go alone where an id is no number, and where two are of one id', () => {
    const adapter = bulkArray(PLAIN);
    expect(adapter.key(jsonMember('m', 'PUT', '/notes/x', 'n'))).toBeNull();
    expect(adapter.key(jsonMember('m', 'PUT', '/notes/12345678901234567890', 'n'))).not.toBeNull();
    const twice = ['a', 'b'].map((id) => jsonMember(id, 'PUT', '/notes/1', 'n'));
    expect(() => adapter.compose(twice)).toThrow('one id');
  });

  it('share a call only with those that go to the same place', () => {
    const key = (path: string) => bulkArray(HUBSPOT).key(jsonMember('m', 'POST', path, {}));
    expect(key('/crm/v3/objects/contacts')).not.toBe(key('/crm/v3/objects/deals'));
    expect(key('/crm/v3/objects/contacts')).not.toBe(key('/crm/v3/objects/contacts?a=1'));
    const sobject = (path: string) => bulkArray(SALESFORCE).key(jsonMember('m', 'PATCH', path, {}));
    expect(sobject('/sobjects/Account/1')).toBe(sobject('/sobjects/Lead/2'));
  });

  it('have all problems of their options reported at once', () => {
    const options = {
      method: 'GET',
      path: '/a/{x}',
      bulk: { path: '/b/{y}', inputs: 'i', fields: { a: 1 } },
      entry: { wrap: '/w', add: { w: '{z}' } },
      match: { by: 'position', result: '/id' },
      answer: { errors: '/errors', succeeded: 404, statsu: '/s' },
    };
    const paths = [
      'method',
      'bulk.path',
      'bulk.inputs',
      'entry.add',
      'match',
      'answer.errors',
      'answer.succeeded',
      'answer.statsu',
    ];
    expect(() => bulkArray(options as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: { problems: expect.arrayContaining(paths.map((path) => expect.objectContaining({ path }))) },
      }),
    );
    expect(() => bulkArray({} as never)).toThrow(/match.by/);
    expect(() => bulkArray({ ...PLAIN, path: '/notes' })).toThrow(/\{id\}/);
  });
});
