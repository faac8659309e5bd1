import { describe, expect, it } from 'vitest';
import type { ScheduleOptions } from '../../src/queue/core/schedules/options.ts';
import { at, errorOf, world } from '../core/harness.ts';

const request = { method: 'POST', url: at('/reports') };
const good: ScheduleOptions = { cron: '0 3 * * *', request };

/** Places of what is wrong, as `set` tells them. */
async function problemsOf(options: unknown, name: unknown = 'report'): Promise<string[]> {
  const { queue } = await world({ zones: { api: { origins: [at('')], secretHeaders: ['x-pin'] } } });
  const error = await errorOf(queue.schedules.set(name as string, options as ScheduleOptions));
  expect(error.code).toBe('SCHEDULE_INVALID');
  expect(await queue.schedules.list()).toEqual({ schedules: [], next: null });
  const { problems } = error.details as { problems: readonly { path: string; expected: string; got: string }[] };
  for (const { path, expected } of problems) expect(error.message).toContain(`${path}: expected ${expected}`);
  return problems.map(({ path, expected, got }) => `${path}: ${expected}, ${got}`);
}

describe('a definition is refused', () => {
  it.each([
    ['that is none', 'weekly', /^schedule: an object/],
    ['without a time', { request }, /^cron: either cron or everyMs, neither/],
    ['with two kinds of time', { ...good, everyMs: 5_000 }, /^cron: either cron or everyMs, both/],
    ['with a cron that is none', { ...good, cron: 'every day' }, /^cron: a cron expression/],
    ['with a field out of range', { ...good, cron: '61 * * * *' }, /^cron: a cron expression \(.*minute/],
    ['with a date for a cron', { ...good, cron: '2025-01-01T00:00:00' }, /^cron: a cron expression/],
    ['with an empty cron', { ...good, cron: '' }, /^cron: a cron expression/],
    ['with a cron that never comes', { ...good, cron: '0 0 30 2 *' }, /^cron: a cron expression that is ever due/],
    ['with a time zone that is none', { ...good, timeZone: 'Mars/Olympus' }, /^timeZone: the name of a time zone/],
    ['with a time zone for an interval', { everyMs: 5_000, timeZone: 'UTC', request }, /^timeZone: none without cron/],
    ['with an interval that is too short', { everyMs: 999, request }, /^everyMs: a whole number of 1000/],
    ['with an interval that is no number', { everyMs: Number.NaN, request }, /^everyMs: .*NaN/],
    ['with a fraction of an interval', { everyMs: 1_000.5, request }, /^everyMs: a whole number/],
    ['that ends before it starts', { ...good, startAt: 2e12, endAt: 1.9e12 }, /^endAt: not before startAt/],
    ['with nothing due between', { ...good, startAt: 2e12, endAt: 2e12 + 1 }, /^endAt: a due time before it/],
    ['that is over', { ...good, endAt: 1e12 }, /^endAt: a due time before it/],
    ['with a date that is none', { ...good, startAt: new Date('x') }, /^startAt: epoch/],
    [
      'with a misspelled option',
      { ...good, timezone: 'UTC' },
      /^timezone: a known name \(did you mean 'timeZone'\?\), an unknown option/,
    ],
    ['with an unknown policy', { ...good, missed: 'runonce' }, /^missed: a known name \(did you mean 'runOnce'\?\)/],
    ['with policies that exclude each other', { ...good, missed: 'runAll', overlap: 'skip' }, /^overlap: 'queue'/],
    ['that wants all and replaces them', { ...good, missed: 'runAll', overlap: 'replace' }, /^overlap: 'queue'/],
    ['with too much to make up for', { ...good, maxMissed: 1_001 }, /^maxMissed: a whole number of 1 to 1000/],
    ['without a request', { cron: '0 3 * * *' }, /^request: an object/],
    [
      'with a request that says what nobody knows',
      { ...good, request: { ...request, boddy: 1 } },
      /^request.boddy: a known name \(did you mean 'body'\?\)/,
    ],
    [
      'with an address that is none',
      { ...good, request: { ...request, url: '/reports' } },
      /^request.url: an absolute/,
    ],
    [
      'with an address outside its zone',
      { ...good, request: { ...request, url: 'https://else.test/' }, options: { zone: 'api' } },
      /^request.url: an origin of zone "api"/,
    ],
    ['with a zone nobody knows', { ...good, options: { zone: 'crm' } }, /^options.zone: one of api/],
    [
      'with a stream for a body',
      { ...good, request: { ...request, body: new ReadableStream() } },
      /^request.body: .*a stream/,
    ],
    [
      'with a form, whose text differs each time',
      { ...good, request: { ...request, body: new FormData() } },
      /^request.body: .*FormData/,
    ],
    [
      'with a credential',
      { ...good, request: { ...request, headers: { Authorization: 'Bearer x' } } },
      /^request.headers\["authorization"\]: .*auth/,
    ],
    [
      'with a header its zone keeps secret',
      { ...good, request: { ...request, headers: { 'x-pin': '1' } } },
      /^request.headers\["x-pin"\]/,
    ],
    [
      'with a secret in its address',
      { ...good, request: { ...request, url: at('/r?api_key=x') } },
      /^request.url: no credentials/,
    ],
    [
      'with one key for all',
      { ...good, request: { ...request, headers: { 'idempotency-key': 'x' } } },
      /^request.headers\["idempotency-key"\]/,
    ],
    ['with an option of another verb', { ...good, options: { key: 'x' } }, /^options.key: .*unknown option/],
    ['with a priority nobody knows', { ...good, options: { priority: 'urgent' } }, /^options.priority/],
    ['with tags that are none', { ...good, options: { tags: 'nightly' } }, /^options.tags/],
    ['with a replacement but no lane', { ...good, overlap: 'replace', options: { lane: null } }, /^options.lane/],
    ['with a queue but no lane', { ...good, overlap: 'queue', options: { lane: null } }, /^options.lane/],
    ['with no time to be sent in', { ...good, options: { expiresAfterMs: 0 } }, /^options.expiresAfterMs/],
  ])('%s', async (_, options, expected) => {
    const problems = await problemsOf(options);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(expected);
    expect(problems.join()).not.toContain('Bearer x');
  });

  it.each([[''], ['\ud800'], ['x'.repeat(201)], [7], [null]])('under the name %j', async (name) => {
    expect((await problemsOf(good, name))[0]).toMatch(/^name: a text/);
  });

  it('with everything that is wrong with it at once', async () => {
    const problems = await problemsOf({
      everyMs: 1,
      overlap: 'never',
      request: { method: 'GET', url: 'ftp://x', body: 'x', headers: { cookie: 'a=b' } },
      options: { priority: 11, onUnknown: 'guess' },
      extra: 1,
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'extra',
      'everyMs',
      'overlap',
      'options.onUnknown',
      'options.priority',
      'request.url',
      'request.body',
    ]);
  });
});

describe('a question is refused', () => {
  it('for a schedule that is not there', async () => {
    const { schedules } = (await world()).queue;
    expect(await schedules.get('none')).toBeUndefined();
    expect(await schedules.remove('none')).toBe(false);
    const asks = [
      () => schedules.pause('none'),
      () => schedules.resume('none'),
      () => schedules.next('none'),
      () => schedules.fire('none'),
    ];
    for (const ask of asks) expect((await errorOf(ask())).code).toBe('SCHEDULE_NOT_FOUND');
  });

  it('for more than can be told at once', async () => {
    const { schedules } = (await world()).queue;
    await schedules.set('report', good);
    for (const count of [0, 1.5, 1_001]) {
      expect((await errorOf(schedules.next('report', count))).code).toBe('REQUEST_INVALID');
      expect((await errorOf(schedules.list({ limit: count }))).code).toBe('REQUEST_INVALID');
    }
  });
});

it('a body of any kind that can be stored is sent as it was given', async () => {
  const test = await world();
  const bytes = new Uint8Array([0, 255, 7]);
  const bodies = { json: { a: 1 }, text: 'hi', bytes, blob: new Blob(['b'], { type: 'text/x' }), none: undefined };
  for (const [name, body] of Object.entries(bodies)) {
    const options = { everyMs: 1_000, request: { method: 'POST', url: at(`/${name}`), body } };
    const first = await test.queue.schedules.set(name, options);
    expect(await test.queue.schedules.set(name, options)).toEqual(first);
    await test.queue.schedules.fire(name);
    const { requests } = await test.queue.find({ tags: [`schedule:${name}`] });
    const once = await test.queue.enqueue(options.request);
    const ordinary = await test.queue.get(once.id);
    expect(requests[0]?.content.body).toEqual(ordinary?.content.body);
    expect(requests[0]?.content.headers).toEqual(ordinary?.content.headers);
  }
});
