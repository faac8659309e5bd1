import { expect, it } from 'vitest';
import { ApiClient } from '../../../src/client/ApiClient.ts';
import type { Resource } from '../../../src/client/Resource.ts';
import type { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { Json } from '../../../src/queue/types/request.ts';
import type { ServerStep } from '../../../src/testing/serverSteps.ts';
import { applyThenReset, resetBeforeApply } from '../../../src/testing/serverSteps.ts';
import { headerIn } from '../../core/harness.ts';
import { Ground } from './support/Ground.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import type { FaultStore } from './support/stores.ts';
import { describeStores } from './support/stores.ts';

const THING = '/things/7';
type Fields = Readonly<Record<string, Json>>;
const BASE: Fields = { title: 'a', note: 'n', count: 5 };

interface Meeting {
  readonly base?: Fields;
  /** What is done to the thing, on what was read of it. */
  readonly change: (things: Resource) => { accepted(): Promise<{ readonly id: string }> };
  /** What the server does to the first send. Absent: it is offline meanwhile. */
  readonly step?: ServerStep;
  /** What somebody else does before it is sent (again). */
  readonly foreign?: Fields;
}

/** A change of a thing that was read, between whose sends somebody else may change it; with a restart in between. */
async function meet(what: string, store: FaultStore, { base = BASE, change, step, foreign }: Meeting) {
  const site = await Site.open();
  site.api.edit(THING, base);
  const ground = new Ground(await store.make(), [site]);
  const config = { zones: { api: { origins: [site.server.origin] } } };
  const thingsOf = (queue: QueueManager): Resource => {
    const client = new ApiClient({ queue, baseUrl: site.server.origin, name: 'app' });
    return client.resource('thing', { path: '/things', version: 'etag', onConflict: 'merge' });
  };
  let queue = await ground.queue(config);
  const things = thingsOf(queue);
  await things.get(7);
  if (step === undefined) await site.server.stop();
  else site.server.script.next(step);
  const { id } = await change(things).accepted();
  await ground.calm();
  await site.server.stop();
  await ground.close(queue);
  if (foreign !== undefined) site.api.edit(THING, foreign);
  await site.server.start();
  queue = await ground.queue(config);
  thingsOf(queue);
  const counts = await ground.drained(queue);
  const { state, reason } = (await queue.get(id)) ?? {};
  const sent = site
    .arrivals()
    .map(({ request }) => `${request.method} ${headerIn(request, 'if-match')} ${request.body}`);
  report(`T14 ${what}`, store.kind, told(site.saw()), says(counts), `${state} ${reason}`);
  return { end: `${state} ${reason}`, sent, thing: site.api.at(THING), saw: site.saw() };
}

describeStores('T14: a 412 to what was sent again', (store) => {
  it('that our own unanswered PUT is the cause of is a success', async () => {
    const { end, thing, saw } = await meet('own PUT', store, {
      change: (things) => things.replace(7, { title: 'mine' }),
      step: applyThenReset,
    });
    expect(end).toBe('succeeded appliedEarlier');
    expect(saw).toMatchObject({ arrivals: 2, applied: 1, refused: 1 });
    expect(thing).toEqual({ id: 7, title: 'mine' });
  });

  it('after which somebody changed something else is a success, and theirs stays', async () => {
    const { end, thing, saw } = await meet('own PATCH, then a foreign edit', store, {
      change: (things) => things.update(7, { title: 'mine' }),
      step: applyThenReset,
      foreign: { note: 'theirs' },
    });
    expect(end).toBe('succeeded appliedEarlier');
    expect(saw).toMatchObject({ arrivals: 2, applied: 1 });
    expect(thing).toEqual({ id: 7, ...BASE, title: 'mine', note: 'theirs' });
  });

  it('that only somebody else is the cause of is merged', async () => {
    const { end, thing, sent } = await meet('own PATCH was lost, a foreign edit', store, {
      change: (things) => things.update(7, { title: 'mine' }),
      step: resetBeforeApply,
      foreign: { note: 'theirs' },
    });
    expect(end).toBe('succeeded applied');
    expect(sent).toEqual(['PATCH "v1" {"title":"mine"}', 'PATCH "v1" {"title":"mine"}', 'PATCH "v2" {"title":"mine"}']);
    expect(thing).toEqual({ id: 7, ...BASE, title: 'mine', note: 'theirs' });
  });
});

describeStores('T14: a change that meets a foreign one', (store) => {
  it('is merged with it, field by field', async () => {
    const { end, thing, sent } = await meet('foreign edit', store, {
      change: (things) => things.update(7, { title: 'mine' }),
      foreign: { note: 'theirs', count: 6 },
    });
    expect(end).toBe('succeeded applied');
    expect(sent).toEqual(['PATCH "v1" {"title":"mine"}', 'PATCH "v2" {"title":"mine"}']);
    expect(thing).toEqual({ id: 7, title: 'mine', note: 'theirs', count: 6 });
  });

  it('of the whole keeps what only the other changed', async () => {
    const { end, thing } = await meet('foreign edit, PUT', store, {
      change: (things) => things.replace(7, { ...BASE, title: 'mine' }),
      foreign: { note: 'theirs' },
    });
    expect(end).toBe('succeeded applied');
    expect(thing).toEqual({ id: 7, ...BASE, title: 'mine', note: 'theirs' });
  });

  it('of the same field is held', async () => {
    const { end, thing } = await meet('foreign edit of the same field', store, {
      change: (things) => things.update(7, { title: 'mine' }),
      foreign: { title: 'theirs' },
    });
    expect(end).toBe('held conflict');
    expect(thing).toMatchObject({ title: 'theirs' });
  });

  it.each<[string, Fields, Fields]>([
    ['0', { v: 1 }, { v: 0 }],
    ['false', { v: true }, { v: false }],
    ['an empty text', { v: 'x' }, { v: '' }],
    ['an empty list', { v: ['x'] }, { v: [] }],
    ['something where 0 was', { v: 0 }, { v: 1 }],
    ['something where false was', { v: false }, { v: true }],
  ])('to %s is a change like any other', async (name, base, local) => {
    const { end, thing } = await meet(`falsy: to ${name}`, store, {
      base: { ...base, note: 'n' },
      change: (things) => things.update(7, local),
      foreign: { note: '' },
    });
    expect(end).toBe('succeeded applied');
    expect(thing).toEqual({ id: 7, ...local, note: '' });
  });

  it.each<[string, Json, Json, Json]>([
    ['0 and false', 1, 0, false],
    ['an empty text and 0', 'x', '', 0],
    ['false and an empty text', true, false, ''],
    ['something and 0', 1, 2, 0],
    ['something and false', 'x', 'y', false],
  ])('to another value is held: %s', async (name, base, local, remote) => {
    const { end, thing } = await meet(`falsy: ${name}`, store, {
      base: { v: base },
      change: (things) => things.update(7, { v: local }),
      foreign: { v: remote },
    });
    expect(end).toBe('held conflict');
    expect(thing).toEqual({ id: 7, v: remote });
  });

  it.each<[string, Json]>([
    ['0', 0],
    ['false', false],
    ['an empty text', ''],
  ])('to the same value is none: %s', async (name, value) => {
    const { end, saw } = await meet(`falsy: both ${name}`, store, {
      base: { v: 1 },
      change: (things) => things.update(7, { v: value }),
      foreign: { v: value },
    });
    expect(end).toBe('succeeded appliedEarlier');
    expect(saw).toMatchObject({ arrivals: 1, applied: 0 });
  });
});
