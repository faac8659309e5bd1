import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { graphBatch } from '../../../src/client/batch/graphBatch.ts';
import type { BatchMember } from '../../../src/queue/types/batch.ts';
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

interface Part {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

const PHOTO = Uint8Array.from({ length: 70 }, (_, at) => (at * 37) % 256);

/** A few things of a Graph: messages that are made, one that is missing, a photo, a refusal. */
function single(asked: Pick<Asked, 'method' | 'path' | 'headers'> & { readonly body: unknown }): Reply {
  const { method, path, headers, body } = asked;
  if (path === '/me/photo/$value' && method === 'PUT') {
    return { status: 200, body: { size: (body as Uint8Array).length, last: (body as Uint8Array).at(-1) } };
  }
  if (path === '/me/photo/$value') return { status: 200, headers: { 'content-type': 'image/png' }, body: PHOTO };
  if (path.startsWith('/busy'))
    return { status: 429, headers: { 'retry-after': '7' }, body: { error: { code: 'Throttled' } } };
  if (path.startsWith('/gone')) return { status: 404, body: { error: { code: 'NotFound', path } } };
  if (method === 'DELETE') return { status: 204 };
  if (method === 'POST')
    return {
      status: 201,
      headers: { location: `https://graph.example.com${path}/1` },
      body: { id: 1, made: body ?? null },
    };
  return { status: 200, body: { path, prefer: preferOf(headers) } };
}

const preferOf = ({ prefer = null }: Record<string, unknown>): unknown => prefer;

function graph(_: object, { method, path, headers, text, bytes }: Asked): Reply {
  if (path !== '/v1.0/$batch') {
    const isJson = String(headers['content-type']).includes('json');
    return single({
      method,
      path: decodeURIComponent(path.slice('/v1.0'.length)),
      headers,
      body: isJson ? JSON.parse(text) : bytes,
    });
  }
  const { requests } = JSON.parse(text) as { requests: Part[] };
  if (requests.length > 20 || new Set(requests.map(({ id }) => id.toLowerCase())).size < requests.length)
    return { status: 400, body: {} };
  const responses = requests.map((part) => {
    const isJson = String(part.headers?.['content-type']).includes('json');
    const body =
      isJson || part.body === undefined ? part.body : new Uint8Array(Buffer.from(part.body as string, 'base64'));
    const [url = ''] = part.url.split('?');
    const reply = single({ method: part.method, path: decodeURIComponent(url), headers: part.headers ?? {}, body });
    const given = reply.body instanceof Uint8Array ? Buffer.from(reply.body).toString('base64') : reply.body;
    return {
      id: part.id.toUpperCase(),
      status: reply.status,
      headers: { 'content-type': 'application/json', ...reply.headers },
      body: given,
    };
  });
  return { status: 200, body: { responses: responses.reverse() } };
}

const anyMember: fc.Arbitrary<Omit<BatchMember, 'id'>> = fc.oneof(
  fc
    .constantFrom('/v1.0/me', '/v1.0/gone/1?$select=a', '/v1.0/busy/1', '/v1.0/me/photo/$value', '/v1.0/users/a%20b')
    .map((path) => member('', { path, headers: [['prefer', 'outlook.body-content-type="text"']] })),
  fc.jsonValue({ maxDepth: 3 }).map((value) => jsonMember('', 'POST', '/v1.0/me/messages', value)),
  fc.constant(member('', { method: 'DELETE', path: '/v1.0/me/messages/1', effect: 'delete' })),
  fc
    .uint8Array({ minLength: 1 })
    .map((body) =>
      member('', { method: 'PUT', path: '/v1.0/me/photo/$value', headers: [['content-type', 'image/png']], body }),
    ),
);

describe('a batch of Graph', () => {
  it('answers each as by itself', async () => {
    const server = await serve(() => ({}), graph);
    const adapter = graphBatch();
    await fc.assert(
      fc.asyncProperty(fc.array(anyMember, { minLength: 2, maxLength: 20 }), async (all) => {
        const members = all.map((one, at) => ({ ...one, id: `r-${at}` }));
        expect(members.map((one) => adapter.key(one))).not.toContain(null);
        const alone = await sendAlone(server.origin, members);
        server.reset();
        expect(byId(await sendTogether(server.origin, adapter, members))).toEqual(alone);
        expect(server.calls()).toBe(1);
      }),
      { numRuns: 15 },
    );
  });

  const members = ['a', 'b', 'c'].map((id) => jsonMember(id, 'POST', `/v1.0/teams/${id}/messages`, {}));
  const parts = (...responses: unknown[]) => [answer(200, { responses })];
  const said = (answers: ReturnType<typeof parts>, options = {}) =>
    byId(graphBatch(options).outcomes(answers, members));

  it('writes parts with relative urls, headers and bodies as they were given', () => {
    const [first] = graphBatch()
      .compose([
        {
          ...textMember('x"', 'POST', '/v1.0/a%20b?$top=1', ' { "n": 1.0 } '),
          headers: [
            ['content-type', 'application/json'],
            ['idempotency-key', 'k'],
          ],
        },
        member('y', { path: '/v1.0/me' }),
      ])
      .body?.toString()
      .split('},{"id":"y"') ?? [''];
    expect(first).toBe(
      '{"requests":[{"id":"x\\"","method":"POST","url":"/a%20b?$top=1","headers":{"content-type":"application/json","idempotency-key":"k"},"body":{ "n": 1.0 }',
    );
  });

  it('keeps the wait that a part asks for, and where a thing was made', () => {
    const outcomes = graphBatch().outcomes(
      parts(
        {
          id: 'A',
          status: 429,
          headers: { 'Retry-After': 12, 'Set-Cookie': 'a=1', 'bad\r\nname': 'x', evil: 'a\r\nb: c' },
        },
        { id: 'b', status: '201', headers: { Location: '/x' }, body: { id: 1 } },
      ),
      members,
    );
    expect(outcomes).toMatchObject([
      { response: { status: 429, headers: [['retry-after', '12']] } },
      {
        response: {
          status: 201,
          headers: [
            ['content-type', 'application/json'],
            ['location', '/x'],
          ],
        },
      },
      { kind: 'missing' },
    ]);
  });

  it('takes a failed dependency for not served', () => {
    expect(said(parts({ id: 'a', status: 424 }, { id: 'b', status: 200, body: {} }))).toEqual({
      a: 'notServed',
      b: { status: 200, body: '{}' },
      c: 'missing',
    });
  });

  it('doubts a refusal where it is known to be wrong', () => {
    const answers = parts(...['a', 'b'].map((id) => ({ id, status: 429 })));
    expect(said(answers)).toMatchObject({ a: { status: 429 } });
    expect(said(answers, { doubtful429: ['/Teams'] })).toEqual({ a: 'missing', b: 'missing', c: 'missing' });
    expect(said(answers, { doubtful429: ['/team'] })).toMatchObject({ a: { status: 429 } });
    const read = [member('a', { path: '/v1.0/teams/1' })];
    expect(
      graphBatch({ doubtful429: ['/teams'] })
        .outcomes(answers, read)
        .map(shown),
    ).toEqual([{ status: 429, body: '' }]);
  });

  it('believes no part that is said twice, has no status, or is rubbish', () => {
    const nothing = { a: 'missing', b: 'missing', c: 'missing' };
    expect(
      said(parts({ id: 'a', status: 200 }, { id: 'A', status: 201 }, null, 7, { id: 'b' }, { id: 'c', status: 99 })),
    ).toEqual(nothing);
    for (const rubbish of ['<html>', '', '[]', '{"responses":{}}', 'null'])
      expect(said([answer(200, rubbish)]), rubbish).toEqual(nothing);
    expect(said([])).toEqual(nothing);
  });

  it('asks for further parts without sending any request again', () => {
    const adapter = graphBatch();
    const call = adapter.compose(members);
    const next = (link: unknown) => adapter.next?.(answer(200, { responses: [], '@odata.nextLink': link }), call);
    expect(next('https://graph.microsoft.com/v1.0/$batch?$skiptoken=x')).toEqual({
      method: 'GET',
      path: '/v1.0/$batch?$skiptoken=x',
      headers: [['accept', 'application/json']],
      body: null,
    });
    expect(next(undefined)).toBeUndefined();
    expect(adapter.next?.(answer(200, 'rubbish'), call)).toBeUndefined();
    const pages = [...parts({ id: 'a', status: 204 }), ...parts({ id: 'b', status: 204 })];
    expect(said(pages)).toEqual({ a: { status: 204, body: '' }, b: { status: 204, body: '' }, c: 'missing' });
  });

  it.each([
    ['of another version', member('m', { path: '/beta/me' })],
    ['that is a batch', jsonMember('m', 'POST', '/v1.0/$batch', {})],
    ['whose body has no type', member('m', { method: 'POST', path: '/v1.0/me', body: 'x' })],
    ['whose JSON is none', textMember('m', 'POST', '/v1.0/me', '{')],
    [
      'with a header that stands twice',
      member('m', {
        path: '/v1.0/me',
        headers: [
          ['prefer', 'a'],
          ['prefer', 'b'],
        ],
      }),
    ],
  ])('leaves out a request %s', (_, candidate) => {
    expect(graphBatch().key(candidate)).toBeNull();
    expect(() => graphBatch().compose([candidate, { ...candidate, id: 'n' }])).toThrow('goes alone');
  });

  it('refuses ids that Graph would take for one', () => {
    expect(() => graphBatch().compose(['a', 'A'].map((id) => member(id, { path: '/v1.0/me' })))).toThrow('letter case');
  });

  it('reports all problems of its options at once', () => {
    expect(() => graphBatch({ base: 'v1.0', doubtful429: ['teams'], maxItems: 21, name: 'a b' })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: {
          problems: ['name', 'base', 'doubtful429', 'maxItems'].map((path) => expect.objectContaining({ path })),
        },
      }),
    );
  });

  it('keeps texts that are no base64 as they are', () => {
    const text = { id: 'a', status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'not base64!' };
    expect(said(parts(text))).toMatchObject({ a: { status: 200, body: 'not base64!' } });
  });
});
