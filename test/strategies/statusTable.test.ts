import { describe, expect, it } from 'vitest';
import { STATUS_TABLE, statusVerdict } from '../../src/queue/strategies/statusTable.ts';
import type { Effect } from '../../src/queue/types/request.ts';

type Asked = readonly [method: string, effect: Effect];

const READ: Asked = ['GET', 'read'];
const POST: Asked = ['POST', 'create'];
const PUT: Asked = ['PUT', 'absolute'];
const PATCH: Asked = ['PATCH', 'absolute'];
const DELETE: Asked = ['DELETE', 'delete'];
const WRITES = [POST, PUT, PATCH, DELETE];
const ALL = [READ, ...WRITES];

/** A row in words: who is answered with what, what that means, and what after an attempt in doubt. */
interface Row {
  readonly about: string;
  readonly statuses: readonly number[];
  readonly asked: readonly Asked[];
  /** Outcome, action, then what else differs from the plain. */
  readonly first: string;
  /** The same as `first` where it is left out. */
  readonly after?: string;
}

/** In the order of the table. Written from the specification, not from the table. */
const ROWS: readonly Row[] = [
  { about: 'a read that is answered', statuses: [200, 206, 301, 304, 308], asked: [READ], first: 'applied apply' },
  { about: 'a write that is done', statuses: [200, 201, 202, 204, 207], asked: WRITES, first: 'applied apply' },
  {
    about: 'a POST that is done elsewhere',
    statuses: [303],
    asked: [POST],
    first: 'applied apply',
    after: 'unknown resolve',
  },
  { about: 'a write that is redirected', statuses: [301, 302], asked: WRITES, first: 'unknown resolve' },
  { about: 'a redirect that keeps the method', statuses: [300, 307, 308], asked: WRITES, first: 'notApplied reject' },
  { about: 'no credential that counts', statuses: [401], asked: ALL, first: 'notApplied refreshAuth for auth' },
  { about: 'a quota that is used up', statuses: [402], asked: ALL, first: 'notApplied hold for quota' },
  {
    about: 'no right to it',
    statuses: [403],
    asked: ALL,
    first: 'notApplied reject',
    after: 'notApplied resolve',
  },
  { about: 'a delete of what is not there', statuses: [404, 410], asked: [DELETE], first: 'applied noop' },
  {
    about: 'a change of what is not there',
    statuses: [404, 410],
    asked: [PUT, PATCH],
    first: 'notApplied hold for conflict: gone',
  },
  {
    about: 'something between us and the zone',
    statuses: [407, 511],
    asked: ALL,
    first: 'notApplied retry, fault of the zone, captive',
  },
  {
    about: 'a request that did not arrive in time',
    statuses: [408],
    asked: ALL,
    first: 'notApplied retry, fault of the request',
    after: 'unknown retry, fault of the request',
  },
  { about: 'a read in conflict', statuses: [409], asked: [READ], first: 'notApplied reject' },
  {
    about: 'a create of what exists',
    statuses: [409],
    asked: [POST],
    first: 'notApplied hold for conflict: exists',
    after: 'notApplied resolve for conflict: exists',
  },
  {
    about: 'a change of what is in another state',
    statuses: [409],
    asked: [PUT, PATCH, DELETE],
    first: 'notApplied hold for conflict: changed',
    after: 'notApplied resolve for conflict: changed',
  },
  {
    about: 'a precondition that does not hold',
    statuses: [412],
    asked: WRITES,
    first: 'notApplied hold for conflict: changed',
    after: 'notApplied resolve for conflict: changed',
  },
  {
    about: 'another connection or no early data',
    statuses: [421, 425],
    asked: ALL,
    first: 'notApplied retryOnce',
  },
  { about: 'a lock', statuses: [423], asked: ALL, first: 'notApplied retry, fault of the request' },
  { about: 'another protocol', statuses: [426], asked: ALL, first: 'notApplied hold for upgrade' },
  {
    about: 'a precondition that must be given',
    statuses: [428],
    asked: WRITES,
    first: 'notApplied hold for conflict: required',
  },
  {
    about: 'too many requests',
    statuses: [429],
    asked: ALL,
    first: 'notApplied retry, fault of the zone, pauses it',
  },
  {
    about: 'any other fault of the request',
    statuses: [400, 405, 406, 411, 413, 414, 415, 417, 422, 424, 431, 451],
    asked: ALL,
    first: 'notApplied reject',
  },
  { about: 'what the server cannot do', statuses: [501, 505], asked: ALL, first: 'notApplied reject' },
  {
    about: 'a gateway that lost the answer',
    statuses: [502, 504, 520, 522, 524],
    asked: ALL,
    first: 'unknown resolve, fault of the zone',
  },
  {
    about: 'a server that does not serve now',
    statuses: [503],
    asked: ALL,
    first: 'notApplied retry, fault of the zone, pauses it',
  },
  {
    about: 'a server without room',
    statuses: [507],
    asked: ALL,
    first: 'notApplied retry, fault of the request',
    after: 'unknown resolve, fault of the request',
  },
  {
    about: 'a server under too much load',
    statuses: [529],
    asked: ALL,
    first: 'notApplied retry, fault of the zone',
    after: 'unknown resolve, fault of the zone',
  },
  {
    about: 'an origin that was not reached',
    statuses: [521, 523, 525, 526],
    asked: ALL,
    first: 'notApplied retry, fault of the zone',
  },
  {
    about: 'anything else',
    statuses: [100, 500, 506, 508, 599, 600],
    asked: ALL,
    first: 'unknown resolve, fault of the request',
  },
];

describe('what a status means', () => {
  it.each(ROWS.map((row, index) => ({ ...row, index })))(
    '$about: $first',
    ({ statuses, asked, first, after, index }) => {
      for (const status of statuses) {
        for (const [method, effect] of asked) {
          const request = { method, effect };
          const what = `${status} to a ${method}`;
          expect([what, wordsOf(statusVerdict(status, request, false))]).toEqual([what, first]);
          expect([what, wordsOf(statusVerdict(status, request, true))]).toEqual([what, after ?? first]);
        }
      }
      const [status = 0] = statuses;
      expect(STATUS_TABLE[index] && covers(STATUS_TABLE[index], status)).toBe(true);
    },
  );

  it('is said of every row of the table, once', () => {
    expect(ROWS).toHaveLength(STATUS_TABLE.length);
  });

  it('is something for every status and request', () => {
    for (let status = 0; status < 1_000; status++) {
      for (const [method, effect] of ALL) {
        expect(statusVerdict(status, { method, effect }, false)).toHaveProperty('action');
      }
    }
  });
});

function covers({ statuses }: (typeof STATUS_TABLE)[number], status: number): boolean {
  return 'from' in statuses ? status >= statuses.from && status <= statuses.to : statuses.includes(status);
}

function wordsOf(verdict: ReturnType<typeof statusVerdict>): string {
  const { outcome, action, holdReason, fault, pausesZone, captive, conflict } = verdict;
  const hold = holdReason === null ? '' : ` for ${holdReason}`;
  const kind = conflict === undefined ? '' : `: ${conflict}`;
  const whose = fault === 'none' ? '' : `, fault of the ${fault}`;
  return `${outcome} ${action}${hold}${kind}${whose}${pausesZone ? ', pauses it' : ''}${captive ? ', captive' : ''}`;
}
