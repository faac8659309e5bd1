import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atomicOperations } from '../../../src/client/batch/atomicOperations.ts';
import { bulkArray } from '../../../src/client/batch/bulkArray.ts';
import { graphBatch } from '../../../src/client/batch/graphBatch.ts';
import { graphqlBatch } from '../../../src/client/batch/graphqlBatch.ts';
import { idBatch } from '../../../src/client/batch/idBatch.ts';
import { ndjsonBulk } from '../../../src/client/batch/ndjsonBulk.ts';
import type { BatchAdapter, BatchAnswer, BatchMember } from '../../../src/queue/types/batch.ts';
import { jsonMember, member } from './support/batching.ts';

const IDS = ['1', '2', '__proto__'];

const CASES: readonly (readonly [name: string, adapter: BatchAdapter, make: (id: string) => BatchMember])[] = [
  [
    'idBatch',
    idBatch({
      path: '/t/{id}',
      query: { path: '/t', parameter: 'ids' },
      items: '/items',
      nextUrl: '/next',
    }),
    (id) => member(id, { path: `/t/${id}` }),
  ],
  [
    'bulkArray by echo',
    bulkArray({
      method: 'POST',
      path: '/t',
      bulk: { path: '/b' },
      match: { by: 'echo', field: 'id' },
      answer: {
        results: '/items',
        errors: '/errors',
        status: '/status',
        success: '/data',
        unwrap: '/body',
        retryAfter: '/next',
      },
    }),
    (id) => jsonMember(id, 'POST', '/t', {}),
  ],
  [
    'bulkArray by position',
    bulkArray({
      method: 'PUT',
      path: '/t/{id}',
      bulk: { path: '/b' },
      match: { by: 'position' },
      answer: { status: '/status' },
    }),
    (id) => jsonMember(id, 'PUT', `/t/${id}`, {}),
  ],
  ['graphBatch', graphBatch(), (id) => jsonMember(id, 'POST', `/v1.0/me/${id}`, {})],
  ['atomicOperations', atomicOperations(), (id) => jsonMember(id, 'PATCH', `/t/${id}`, { data: { type: 't', id } })],
  ['graphqlBatch', graphqlBatch(), (id) => jsonMember(id, 'POST', '/graphql', { query: '{ a }' })],
  ['ndjsonBulk', ndjsonBulk(), (id) => jsonMember(id, 'PUT', `/i/_doc/${id}`, {})],
];

/** JSON in which the words of the protocols stand in places where they belong, and where they do not. */
const words = [
  'items',
  'responses',
  'results',
  'errors',
  'atomic:results',
  'id',
  '_id',
  'status',
  'headers',
  'body',
  'data',
  'index',
  'source',
];
const texts = ['1', '2', '__proto__', '200', '/atomic:operations/1', 'http://[', '\ud800', 'a\r\nb: c', 'AAA='];
const { value: confused } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom<unknown>(null, true, false, 0, 200, 429, 424, 1e21, ...texts),
      fc.jsonValue({ maxDepth: 1 }),
    ),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...words, 'pointer', 'next', '@odata.nextLink'), tie('value'), { maxKeys: 6 }),
  ),
}));
const rubbish: fc.Arbitrary<BatchAnswer> = fc.record({
  status: fc.constantFrom(200, 201, 204, 206, 207, 400, 409, 422, 500),
  headers: fc.constantFrom(
    [],
    [['content-type', 'text/html'] as const],
    [['content-type', 'application/json;charset=x'] as const],
  ),
  body: fc.oneof(
    { weight: 5, arbitrary: confused.map((value) => new TextEncoder().encode(JSON.stringify(value))) },
    { weight: 1, arbitrary: fc.uint8Array() },
  ),
});

describe('a server that answers anything', () => {
  it.each(CASES)('leaves %s with one outcome for each member at most, and throws nothing', (_, adapter, make) => {
    const members = IDS.map(make);
    expect(members.map((one) => adapter.key(one))).not.toContain(null);
    const call = adapter.compose(members);
    fc.assert(
      fc.property(fc.array(rubbish, { minLength: 1, maxLength: 3 }), (answers) => {
        const outcomes = adapter.outcomes(answers, members);
        expect(outcomes.map(({ id }) => id)).toEqual(IDS);
        for (const outcome of outcomes) {
          if (outcome.kind !== 'answered') continue;
          const { status, headers, body } = outcome.response;
          expect(status >= 200 && status < 600 && body instanceof Uint8Array).toBe(true);
          expect(() => new Headers(headers.map(([name, value]) => [name, value] as [string, string]))).not.toThrow();
        }
        for (const answer of answers) {
          const refused = adapter.refused?.(answer, members);
          if (refused !== undefined) expect(refused.map(({ id }) => id)).toEqual(IDS);
          const next = adapter.next?.(answer, call);
          if (next !== undefined) expect(next.path).toMatch(/^\/[^\s#]*$/);
        }
      }),
      { numRuns: 400 },
    );
  });

  it.each(CASES)('is asked the same again by %s for the same members', (_, adapter, make) => {
    const members = IDS.map(make);
    expect(adapter.compose(members)).toEqual(adapter.compose(members));
    expect(members.map((one) => adapter.key(one))).toEqual(members.map((one) => adapter.key(one)));
  });

  it.each(CASES)('says nothing to %s by a body that is cut off, at whatever place', (_, adapter, make) => {
    const members = IDS.map(make);
    const whole = new TextEncoder().encode(
      '{"items":[{"id":"1","index":{"_id":"1","status":200}}],"responses":[{"id":"1","status":200,"body":"ä"}],"atomic:results":[{},{},{}]}',
    );
    for (let length = 0; length < whole.length; length++) {
      const outcomes = adapter.outcomes([{ status: 200, headers: [], body: whole.subarray(0, length) }], members);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['missing', 'missing', 'missing']);
    }
  });
});
