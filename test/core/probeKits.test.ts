import { describe, expect, it } from 'vitest';
import type { ProbeContext, ProbeFunction, ProbeVerdict } from '../../src/queue/core/config/options.ts';
import { byNaturalKey } from '../../src/queue/core/probeKits/byNaturalKey.ts';
import { byStamp, stampOf } from '../../src/queue/core/probeKits/byStamp.ts';
import { byVersion } from '../../src/queue/core/probeKits/byVersion.ts';
import { byWindow } from '../../src/queue/core/probeKits/byWindow.ts';
import type { HeaderList, Json, NewRequest, StoredRequest } from '../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../src/queue/types/request.ts';
import { newRequest } from '../backends/newRequest.ts';

const APPLIED = { outcome: 'applied' };
const NOT_APPLIED = { outcome: 'notApplied' };
const INCONCLUSIVE = { outcome: 'inconclusive' };
const SENT_AT = Date.UTC(2024, 4, 1, 10);

type Read = Parameters<ProbeContext['send']>[0];
interface Answer {
  readonly status?: number;
  readonly headers?: HeaderList;
  /** A text is sent as it is. */
  readonly body?: Json;
}

function doubtful(method: string, body: Json, fields: Partial<NewRequest & StoredRequest> = {}): StoredRequest {
  const headers: HeaderList = [['content-type', 'application/json']];
  const content = { method, path: '/notes/1', headers, body: body === null ? null : JSON.stringify(body) };
  return {
    ...newRequest({ content, effect: 'create' }),
    seq: 1,
    state: 'unknown',
    reason: 'unanswered',
    rank: 0,
    dueAt: null,
    firstSentAt: SENT_AT,
    progress: NO_PROGRESS,
    lease: null,
    callers: 0,
    endedAt: null,
    endedSeq: null,
    result: null,
    told: false,
    replayedAs: null,
    version: 1,
    ...fields,
  };
}

async function probed(
  probe: ProbeFunction,
  request: StoredRequest,
  answer: Answer,
  reads: Read[] = [],
): Promise<ProbeVerdict> {
  const { status = 200, headers = [], body = null } = answer;
  return probe({
    request,
    send: async (read) => {
      reads.push(read);
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      return { status, headers, body: new TextEncoder().encode(text) };
    },
  });
}

const NO_LISTS: readonly (readonly [what: string, answer: Answer])[] = [
  ['a failure', { status: 503, body: [] }],
  ['a refusal', { status: 403, body: [] }],
  ['something gone', { status: 410, body: [] }],
  ['no JSON', { body: '<html>' }],
  ['an object', { body: { items: [] } }],
  ['a part of the list', { status: 206, body: [] }],
  ['a page of the list', { headers: [['Link', '</notes?page=2>; rel="next"']], body: [] }],
  ['a page among others', { headers: [['link', '</a>; rel="first", </b>; rel=next']], body: [] }],
];

describe('byNaturalKey', () => {
  const probe = byNaturalKey({ path: () => '/notes?slug=a', match: ['slug'] });
  const request = doubtful('POST', { slug: 'a', text: 'hi', n: 0 });
  const mine = { id: 7, slug: 'a', text: 'hi', n: 0, at: 'x' };

  it.each<[what: string, body: Json, verdict: object]>([
    ['the one', [mine], { ...APPLIED, serverId: 7 }],
    ['the one among others', [{ ...mine, slug: 'b', id: 8 }, mine], { ...APPLIED, serverId: 7 }],
    ['one with a text for its id', [{ ...mine, id: 'n7' }], { ...APPLIED, serverId: 'n7' }],
    ['one whose id was rounded', [{ ...mine, id: 2 ** 53 }], APPLIED],
    ['one without an id', [{ ...mine, id: null }], APPLIED],
    ['nothing', [], NOT_APPLIED],
    ['others', [{ ...mine, slug: 'b' }, { text: 'hi' }, null, 'a'], NOT_APPLIED],
    ['two', [mine, mine], INCONCLUSIVE],
    ['one with something else', [{ ...mine, n: false }], INCONCLUSIVE],
    ['one with less', [{ id: 7, slug: 'a' }], INCONCLUSIVE],
  ])('finds %s', async (_, body, verdict) => {
    expect(await probed(probe, request, { body })).toEqual(verdict);
  });

  it.each(NO_LISTS)('is shown nothing by %s', async (_, answer) => {
    expect(await probed(probe, request, answer)).toEqual(INCONCLUSIVE);
  });

  it('takes a 404 for an empty list', async () => {
    expect(await probed(probe, request, { status: 404, body: '<html>' })).toEqual(NOT_APPLIED);
  });

  it('does not look for what was sent without its key', async () => {
    for (const body of [{ text: 'hi' }, { slug: null }, {}, null, [1]]) {
      const reads: Read[] = [];
      expect(await probed(probe, doubtful('POST', body), { body: [] }, reads)).toEqual(INCONCLUSIVE);
      expect(reads).toEqual([]);
    }
  });

  it('asks and reads as it is told', async () => {
    const asking = byNaturalKey({
      method: 'POST',
      path: ({ content }) => `${content.path}/query`,
      body: () => ({ filter: [{ field: 'slug', value: 'a' }] }),
      items: '/items',
      next: '/page/next',
      id: '/meta/key',
      match: ['/meta/slug'],
    });
    const item = { meta: { slug: 'a', key: 9 } };
    const nested = doubtful('POST', { meta: { slug: 'a' } });
    const reads: Read[] = [];
    const body = { items: [item], page: { next: null } };
    expect(await probed(asking, nested, { body }, reads)).toEqual({ ...APPLIED, serverId: 9 });
    expect(reads).toEqual([
      {
        method: 'POST',
        path: '/notes/1/query',
        headers: [['content-type', 'application/json']],
        body: '{"filter":[{"field":"slug","value":"a"}]}',
      },
    ]);
    expect(await probed(asking, nested, { body: { items: [], page: { next: '/2' } } })).toEqual(INCONCLUSIVE);
    expect(await probed(asking, nested, { body: { items: [], page: { next: null } } })).toEqual(NOT_APPLIED);
    expect(await probed(asking, nested, { body: [] })).toEqual(INCONCLUSIVE);
  });

  it('reads a list by GET, without a body', async () => {
    const reads: Read[] = [];
    await probed(probe, request, { body: [] }, reads);
    expect(reads).toEqual([{ method: 'GET', path: '/notes?slug=a' }]);
  });

  it('compares as it is told', async () => {
    const equals = (_: string, local: Json, remote: Json) => `${local}`.toUpperCase() === remote;
    const loud = byNaturalKey({ path: () => '/', match: ['slug'], equals });
    const body = [{ id: 7, slug: 'A', text: 'HI', n: 0 }];
    expect(await probed(loud, request, { body })).toEqual({ ...APPLIED, serverId: 7 });
    const byFunction = byNaturalKey({ path: () => '/', match: (item) => JSON.stringify(item).includes('"A"'), equals });
    expect(await probed(byFunction, request, { body })).toEqual({ ...APPLIED, serverId: 7 });
    expect(await probed(byFunction, request, { body: [{ slug: 'a' }] })).toEqual(NOT_APPLIED);
  });
});

describe('byStamp', () => {
  const id = '01890a5d-ac96-774b-bccf-00000000abcd';
  const probe = byStamp({ field: 'ref', path: (_, stamp) => `/notes?ref=${stamp}` });
  const request = doubtful('POST', { ref: id, text: 'hi' }, { id });

  it('knows a request by its id', () => {
    expect(stampOf(request)).toBe(id);
  });

  it.each<[what: string, body: Json, verdict: object]>([
    ['the one', [{ id: 7, ref: id }], { ...APPLIED, serverId: 7 }],
    ['the one, changed since', [{ id: 7, ref: id, text: 'other' }], { ...APPLIED, serverId: 7 }],
    ['the one in capitals', [{ id: 7, ref: id.toUpperCase() }], { ...APPLIED, serverId: 7 }],
    ['the one with more in the field', [{ id: 7, ref: `hi [${id}]` }], { ...APPLIED, serverId: 7 }],
    ['nothing', [], NOT_APPLIED],
    ['what a filter that is ignored lets through', [{ id: 7, ref: 'x' }, { id: 8 }, null], NOT_APPLIED],
    [
      'two',
      [
        { id: 7, ref: id },
        { id: 8, ref: id },
      ],
      INCONCLUSIVE,
    ],
  ])('finds %s', async (_, body, verdict) => {
    const reads: Read[] = [];
    expect(await probed(probe, request, { body }, reads)).toEqual(verdict);
    expect(reads).toEqual([{ method: 'GET', path: `/notes?ref=${id}` }]);
  });

  it.each(NO_LISTS)('is shown nothing by %s', async (_, answer) => {
    expect(await probed(probe, request, answer)).toEqual(INCONCLUSIVE);
  });

  it('is shown nothing of what was sent without a stamp', async () => {
    for (const body of [{ text: 'hi' }, { ref: 'other' }, { ref: 1 }, null]) {
      expect(await probed(probe, doubtful('POST', body, { id }), { body: [] })).toEqual(INCONCLUSIVE);
    }
  });

  it('may find the stamp in another field than it was sent in', async () => {
    const other = byStamp({ field: '/meta/ref', itemField: 'externalId', path: () => '/' });
    const nested = doubtful('POST', { meta: { ref: id } }, { id });
    expect(await probed(other, nested, { body: [{ id: 7, externalId: id }] })).toEqual({ ...APPLIED, serverId: 7 });
  });
});

describe('byWindow', () => {
  const probe = byWindow({ path: (_, from) => `/notes?from=${from}`, createdAt: 'at' });
  const request = doubtful('POST', { text: 'hi' });
  const at = (offsetMs: number): string => new Date(SENT_AT + offsetMs).toISOString();

  it.each<[what: string, body: Json, verdict: object]>([
    ['one made since', [{ id: 7, text: 'hi', at: at(5) }], { ...APPLIED, serverId: 7 }],
    ['one made by a slow clock', [{ id: 7, text: 'hi', at: at(-60_000) }], { ...APPLIED, serverId: 7 }],
    ['one made since, in seconds', [{ id: 7, text: 'hi', at: SENT_AT / 1000 }], { ...APPLIED, serverId: 7 }],
    [
      'one of that time among others',
      [
        { id: 6, text: 'hi', at: at(-60_001) },
        { id: 7, text: 'hi', at: at(0) },
      ],
      { ...APPLIED, serverId: 7 },
    ],
    [
      'one among different ones',
      [
        { id: 6, text: 'ho', at: at(0) },
        { id: 7, text: 'hi', at: at(0) },
      ],
      { ...APPLIED, serverId: 7 },
    ],
    ['nothing', [], INCONCLUSIVE],
    ['an earlier one', [{ id: 7, text: 'hi', at: at(-60_001) }], INCONCLUSIVE],
    [
      'two',
      [
        { id: 7, text: 'hi', at: at(0) },
        { id: 8, text: 'hi', at: at(1) },
      ],
      INCONCLUSIVE,
    ],
    ['one of unknown time', [{ id: 7, text: 'hi', at: 'today' }], INCONCLUSIVE],
    [
      'another of unknown time',
      [
        { id: 7, text: 'hi', at: at(0) },
        { id: 8, text: 'hi' },
      ],
      INCONCLUSIVE,
    ],
  ])('finds %s', async (_, body, verdict) => {
    const reads: Read[] = [];
    expect(await probed(probe, request, { body }, reads)).toEqual(verdict);
    expect(reads).toEqual([{ method: 'GET', path: `/notes?from=${SENT_AT - 60_000}` }]);
  });

  it.each([...NO_LISTS, ['a 404', { status: 404 }] as const])('is shown nothing by %s', async (_, answer) => {
    expect(await probed(probe, request, answer)).toEqual(INCONCLUSIVE);
  });

  it('is shown nothing by a page with the one', async () => {
    const paged = byWindow({ path: () => '/', createdAt: 'at', items: '/value', next: '/@odata.nextLink' });
    const value = [{ id: 7, text: 'hi', at: at(0) }];
    expect(await probed(paged, request, { body: { value } })).toEqual({ ...APPLIED, serverId: 7 });
    expect(await probed(paged, request, { body: { value, '@odata.nextLink': '/2' } })).toEqual(INCONCLUSIVE);
  });

  it('needs to know what was sent, and when', async () => {
    const body = [{ id: 7, text: 'hi', at: at(0) }];
    for (const unknown of [
      doubtful('POST', {}),
      doubtful('POST', null),
      doubtful('POST', { text: 'hi' }, { firstSentAt: null }),
    ]) {
      expect(await probed(probe, unknown, { body })).toEqual(INCONCLUSIVE);
    }
  });

  it('lets the clocks differ as much as it is told', async () => {
    const exact = byWindow({ path: () => '/', createdAt: '/at', skewMs: 0 });
    expect(await probed(exact, request, { body: [{ id: 7, text: 'hi', at: at(-1) }] })).toEqual(INCONCLUSIVE);
    expect(await probed(exact, request, { body: [{ id: 7, text: 'hi', at: at(0) }] })).toEqual({
      ...APPLIED,
      serverId: 7,
    });
  });
});

describe('byVersion', () => {
  const probe = byVersion({ version: '/version' });
  const base = { text: 'old', version: 4 };
  const change = doubtful('PATCH', { text: 'hi', version: 4 }, { base });

  it.each<[what: string, answer: Answer, verdict: object]>([
    ['the next version with what was sent', { body: { text: 'hi', version: 5, by: 'ann' } }, APPLIED],
    ['the next version of somebody else', { body: { text: 'ho', version: 5 } }, INCONCLUSIVE],
    ['a later version with what was sent', { body: { text: 'hi', version: 6 } }, INCONCLUSIVE],
    ['an earlier version', { body: { text: 'hi', version: 3 } }, INCONCLUSIVE],
    ['the same version', { body: { text: 'old', version: 4 } }, NOT_APPLIED],
    ['no version', { body: { text: 'hi' } }, INCONCLUSIVE],
    ['a version of another kind', { body: { text: 'hi', version: '5' } }, INCONCLUSIVE],
    ['nothing', { status: 404 }, INCONCLUSIVE],
    ['a failure', { status: 500, body: { text: 'hi', version: 5 } }, INCONCLUSIVE],
    ['no JSON', { body: '<html>' }, INCONCLUSIVE],
  ])('of a change meets %s', async (_, answer, verdict) => {
    const reads: Read[] = [];
    expect(await probed(probe, change, answer, reads)).toEqual(verdict);
    expect(reads).toEqual([{ method: 'GET', path: '/notes/1' }]);
  });

  it.each<[what: string, answer: Answer, verdict: object]>([
    ['nothing', { status: 404 }, APPLIED],
    ['nothing any more', { status: 410 }, APPLIED],
    ['the same version', { body: { version: 4 } }, NOT_APPLIED],
    ['the next version', { body: { version: 5 } }, INCONCLUSIVE],
  ])('of a delete meets %s', async (_, answer, verdict) => {
    expect(await probed(probe, doubtful('DELETE', null, { base }), answer)).toEqual(verdict);
  });

  it('counts in texts of any length', async () => {
    const long = doubtful('PATCH', { text: 'hi' }, { base: { version: '9007199254740993' } });
    expect(await probed(probe, long, { body: { text: 'hi', version: '9007199254740994' } })).toEqual(APPLIED);
    expect(await probed(probe, long, { body: { text: 'hi', version: '9007199254740995' } })).toEqual(INCONCLUSIVE);
    const tagged = doubtful('PATCH', { text: 'hi' }, { base: { version: 'a' } });
    expect(await probed(probe, tagged, { body: { text: 'hi', version: 'b' } })).toEqual(INCONCLUSIVE);
    expect(await probed(probe, tagged, { body: { text: 'old', version: 'a' } })).toEqual(NOT_APPLIED);
  });

  it('needs a version of the base that was not rounded, and something that was sent', async () => {
    for (const unknown of [null, {}, { version: null }, { version: 2 ** 53 }, { version: 1.5 }]) {
      const request = doubtful('PATCH', { text: 'hi' }, { base: unknown });
      expect(await probed(probe, request, { body: { text: 'hi', version: 5 } })).toEqual(INCONCLUSIVE);
    }
    for (const body of [null, {}, { version: 4 }, [1]]) {
      const request = doubtful('PATCH', body, { base });
      expect(await probed(probe, request, { body: { text: 'hi', version: 5 } })).toEqual(INCONCLUSIVE);
    }
  });

  it('reads where it is told and compares as it is told', async () => {
    const other = byVersion({
      version: '/meta/v',
      path: ({ content }) => content.path.replace('/close', ''),
      equals: (_, local, remote) => `${local}`.trim() === remote,
    });
    const content = { method: 'POST', path: '/notes/1/close', headers: [], body: '{"text":" hi "}' };
    const request = doubtful('POST', null, { content, base: { meta: { v: 0 } } });
    const reads: Read[] = [];
    expect(await probed(other, request, { body: { text: 'hi', meta: { v: 1 } } }, reads)).toEqual(APPLIED);
    expect(reads).toEqual([{ method: 'GET', path: '/notes/1' }]);
  });
});
