import { expect, it } from 'vitest';
import { ApiClient } from '../../../src/client/ApiClient.ts';
import type { ResourceOptions } from '../../../src/client/resourceOptions.ts';
import type { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { RequestOptions } from '../../../src/queue/types/calls.ts';
import type { ServerStep } from '../../../src/testing/serverSteps.ts';
import { applyThenReset, refuse, resetBeforeApply } from '../../../src/testing/serverSteps.ts';
import { Ground } from './support/Ground.ts';
import { MERGE_PATCH } from './support/kinds.ts';
import { faultChild } from './support/order.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import type { StoreAt } from './support/stores.ts';
import { describeStores } from './support/stores.ts';

const TYPES = ['ticket', 'note', 'file'] as const;

/** A chain of three: a ticket, a note on it, a file of the note; each changed or removed afterwards. `<type>` stands for its local id. */
const CHAIN = [
  { makes: 'ticket', method: 'POST', path: '/tickets', body: { title: 'a' } },
  { makes: null, method: 'PATCH', path: '/tickets/<ticket>', body: { title: 'b' } },
  { makes: 'note', method: 'POST', path: '/notes', body: { ticketId: '<ticket>', text: 'c' } },
  { makes: 'file', method: 'POST', path: '/files', body: { owner: { noteId: '<note>', ticketIds: ['<ticket>'] } } },
  { makes: null, method: 'PATCH', path: '/notes/<note>', body: { text: 'd', fileId: '<file>' } },
  { makes: null, method: 'DELETE', path: '/files/<file>', body: undefined },
] as const;

type LocalIds = Readonly<Record<string, string>>;

function callOf(site: Site, step: (typeof CHAIN)[number], localIds: LocalIds) {
  const named = <T>(value: T): T =>
    value === undefined
      ? value
      : JSON.parse(JSON.stringify(value).replace(/<(\w+)>/g, (_, type: string) => localIds[type] ?? ''));
  const headers = step.method === 'PATCH' ? MERGE_PATCH : {};
  const request = { method: step.method, url: site.url(named(step.path)), headers, body: named(step.body) };
  const options: RequestOptions = step.makes === null ? {} : { localId: localIds[step.makes] };
  return { request, options };
}

const zonesOf = (site: Site) => ({ api: { origins: [site.server.origin], idempotency: 'stripe' as const } });

/** Each request is accepted by a life of its own, which is killed as soon as that is stored. */
async function acceptedByManyLives(site: Site, backend: StoreAt): Promise<LocalIds> {
  const zones = zonesOf(site);
  const localIds: Record<string, string> = {};
  for (const step of CHAIN) {
    const child = await faultChild({ backend, zones, die: { at: 'accepted', count: 1 } });
    if (step.makes !== null) {
      child.tell({ do: 'localId', name: step.makes, type: step.makes });
      localIds[step.makes] = (await child.line(`localId ${step.makes}`)).split(' ')[2] as string;
    }
    child.tell({ do: 'enqueue', name: 'one', ...callOf(site, step, localIds) });
    expect(await child.ended).toMatchObject({ signal: 'SIGKILL' });
  }
  return localIds;
}

/** Lives that are killed as soon as two more results are stored, until one finds nothing left to do. */
async function sentByManyLives(site: Site, backend: StoreAt): Promise<number> {
  for (let lives = 1; ; lives += 1) {
    const child = await faultChild({ backend, zones: zonesOf(site), die: { at: 'settled', count: 2 } });
    child.tell({ do: 'idle', name: 'last' });
    const idle = child.line('idle last').catch(() => undefined);
    const isLast = await Promise.race([idle.then((line) => line !== undefined), child.ended.then(() => false)]);
    if (isLast || lives > 3 * CHAIN.length) return lives;
  }
}

describeStores('T5: a chain of things that are made offline', (store) => {
  it('is made in order, though every life is killed after each acceptance and after each result', async () => {
    const site = await Site.open();
    const at = await store.make();
    await site.server.stop();
    const localIds = await acceptedByManyLives(site, at);
    await site.server.start();
    const lives = await sentByManyLives(site, at);
    const ground = new Ground(at, [site]);
    const queue = await ground.queue({ zones: zonesOf(site) });
    const counts = await ground.drained(queue);
    const saw = site.saw();
    report(`T5 chain, ${CHAIN.length} + ${lives} lives`, store.kind, told(saw), says(counts));
    expect(counts).toMatchObject({ succeeded: CHAIN.length, held: 0, dead: 0 });
    expect(site.changes(({ method }) => method === 'POST').map(({ path }) => path)).toEqual([
      '/tickets',
      '/notes',
      '/files',
    ]);
    expect(await Promise.all(TYPES.map((type) => queue.serverId(localIds[type] ?? '')))).toEqual([501, 502, 503]);
    expect(site.api.all('/tickets')).toEqual([{ id: 501, title: 'b' }]);
    expect(site.api.all('/notes')).toEqual([{ id: 502, ticketId: 501, text: 'd', fileId: 503 }]);
    expect(site.api.all('/files')).toEqual([]);
    const file = site.changes(({ path }) => path === '/files')[0]?.body;
    expect(JSON.parse(file ?? '')).toEqual({ owner: { noteId: 502, ticketIds: [501] } });
  });

  it('is abandoned as one bundle where its first is refused, and replayed as one, with a restart before each step', async () => {
    const site = await Site.open();
    const ground = new Ground(await store.make(), [site]);
    const config = { zones: zonesOf(site) };
    let queue = await ground.queue(config);
    const restarted = async (): Promise<QueueManager> => {
      await ground.close(queue);
      queue = await ground.queue(config);
      return queue;
    };
    await site.server.stop();
    const localIds: LocalIds = Object.fromEntries(TYPES.map((type) => [type, queue.localId(type)]));
    const ids: string[] = [];
    for (const step of CHAIN) {
      const { request, options } = callOf(site, step, localIds);
      ids.push((await queue.enqueue(request, options)).id);
      await restarted();
    }
    site.server.script.always(refuse({ status: 422, body: { error: 'no title' } }));
    await site.server.start();
    const refused = await ground.drained(queue);
    report('T5 first refused', store.kind, told(site.saw()), says(refused));
    expect(refused).toMatchObject({ dead: CHAIN.length });
    expect(site.saw()).toMatchObject({ arrivals: 1, applied: 0 });
    const [root = ''] = ids;
    await restarted();
    const { requests: bundle } = await queue.deadLetters.list({ bundle: root });
    expect(bundle.map(({ id, reason }) => [id, reason])).toEqual(ids.slice(1).map((id) => [id, 'abandoned']));

    site.server.script.clear();
    expect(await queue.deadLetters.replayBundle(root)).toEqual({ matched: CHAIN.length, done: CHAIN.length });
    const replayed = await ground.drained(await restarted());
    report('T5 bundle replayed', store.kind, told(site.saw()), says(replayed));
    expect(replayed).toMatchObject({ succeeded: CHAIN.length, dead: CHAIN.length, held: 0 });
    expect(site.api.all('/tickets')).toEqual([{ id: 501, title: 'b' }]);
    expect(site.api.all('/notes')).toEqual([{ id: 502, ticketId: 501, text: 'd', fileId: 503 }]);
    expect(site.api.all('/files')).toEqual([]);
    expect(site.changes(({ method }) => method === 'POST')).toHaveLength(3);
  });
});

const TICKET: ResourceOptions = { path: '/tickets', squash: true };
const STAMPED_TICKET: ResourceOptions = {
  ...TICKET,
  stamp: { field: 'ref', path: (_, stamp) => `/tickets?ref=${stamp}` },
};

interface Orphan {
  readonly name: string;
  readonly step: ServerStep | null;
  readonly isKeyed: boolean;
  readonly rules: ResourceOptions;
  /** Creates and deletes that the server did. */
  readonly did: readonly [number, number];
}

const ORPHANS: readonly Orphan[] = [
  { name: 'applied, known by its key', step: applyThenReset, isKeyed: true, rules: TICKET, did: [1, 1] },
  { name: 'not applied, known by its key', step: resetBeforeApply, isKeyed: true, rules: TICKET, did: [1, 1] },
  { name: 'applied, found by its stamp', step: applyThenReset, isKeyed: false, rules: STAMPED_TICKET, did: [1, 1] },
  { name: 'not applied, not found', step: resetBeforeApply, isKeyed: false, rules: STAMPED_TICKET, did: [1, 1] },
  { name: 'applied, told by a person', step: applyThenReset, isKeyed: false, rules: TICKET, did: [1, 1] },
  { name: 'never sent', step: null, isKeyed: true, rules: TICKET, did: [0, 0] },
];

describeStores('T6: a thing that is removed while it is not known whether it was made', (store) => {
  it.each(ORPHANS.map((orphan) => [orphan.name, orphan] as const))('is not left behind: %s', async (name, orphan) => {
    const site = await Site.open();
    const ground = new Ground(await store.make(), [site]);
    const zone = { origins: [site.server.origin] };
    const zones = { api: orphan.isKeyed ? { ...zone, idempotency: 'stripe' as const } : zone };
    const queue = await ground.queue({ zones });
    const tickets = new ApiClient({ queue, baseUrl: site.server.origin }).resource('ticket', orphan.rules);
    const ticket = queue.localId('ticket');
    if (orphan.step === null) await site.server.stop();
    else site.server.script.next(orphan.step);
    const made = await tickets.create({ title: 'a' }, { localId: ticket }).accepted();
    await ground.calm();
    await site.server.stop();
    await tickets.delete(ticket).accepted();
    expect((await queue.get(made.id))?.state).not.toBe('succeeded');
    await site.server.start();
    let counts = await ground.drained(queue);
    if (orphan.step !== null && counts.held > 0) {
      expect(site.saw()).toMatchObject({ arrivals: 1 });
      await queue.held.resolve(made.id, 'markApplied', 'tester', { serverId: 501 });
      counts = await ground.drained(queue);
    }
    report(`T6 ${name}`, store.kind, told(site.saw()), says(counts));
    expect(site.api.all('/tickets')).toEqual([]);
    const did = ['POST', 'DELETE'].map((method) => site.changes((change) => change.method === method).length);
    expect(did).toEqual(orphan.did);
    expect(counts).toMatchObject({ held: 0, dead: 0, unknown: 0 });
  });
});
