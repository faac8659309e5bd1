// The technician's app: `node app.mjs <API url> <folder>`. The same program whenever it is started: it gives its queue
// what that does not have yet of the visit, and stays until the office has all of it.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, bearerToken, QuickSetup } from 'holdfast';

const [url, folder] = process.argv.slice(2);
const tell = (what, told) => process.send({ what, ...told });
process.once('disconnect', () => process.exit());

const queue = await QuickSetup.sqlite(join(folder, 'queue.db'), {
  // The office recognises a resend by its Idempotency-Key: what it makes is made once.
  zones: { office: { origins: [url], idempotency: 'ietf' } },
});
queue.on('id:bound', ({ localId, serverId }) => tell('bound', { localId, serverId }));
queue.on('conflict:resolved', ({ requestId, strategy, action }) =>
  tell('resolved', { id: requestId, strategy, action }),
);

const api = new ApiClient({ queue, baseUrl: url, auth: bearerToken(() => 'technician') });
const tickets = api.resource('ticket', {
  path: '/tickets',
  version: 'etag',
  // Where two people changed a ticket, it gets the fields of both, and of two priorities the more urgent: 1 is the highest.
  onConflict: { merge: { fields: { priority: ({ local, remote }) => Math.min(local, remote) } } },
});
const notes = api.resource('note', { path: '/notes' });
const timeEntries = api.resource('timeEntry', { path: '/time-entries' });

/** What the app itself remembers. The local id stands for the ticket until the office has given it an id. */
const ownFile = join(folder, 'app.json');
const own = existsSync(ownFile)
  ? JSON.parse(readFileSync(ownFile, 'utf8'))
  : { ticket: queue.localId('ticket'), requests: {}, ended: {} };
saveOwn();
const { ticket } = own;

/** By its key, what was accepted right before the power failed is not accepted twice; in the ticket's lane, all stays in order. */
const of = (name) => ({ key: `visit-17/${name}`, lane: ticket });
const visit = {
  ticket: (name) =>
    tickets.create({ title: 'Boiler does not start', status: 'open', priority: 3 }, { ...of(name), localId: ticket }),
  'note 1': (name) => notes.create({ ticketId: ticket, text: 'Smell of gas, closed the main tap.' }, of(name)),
  'note 2': (name) => notes.create({ ticketId: ticket, text: 'Replaced the gas valve.' }, of(name)),
  time: (name) => timeEntries.create({ ticketId: ticket, minutes: 75 }, of(name)),
  edit: (name) => tickets.update(ticket, { status: 'solved', priority: 1, cause: 'gas valve' }, of(name)),
};

for (const [name, give] of Object.entries(visit)) {
  if (own.requests[name] !== undefined) continue;
  const { id } = await give(name).accepted();
  own.requests[name] = id;
  saveOwn();
  tell('stored', { id, name });
}
tell('plan', await queue.replayPlan());

const ids = Object.values(own.requests);
const allEnded = new Promise((resolve) => {
  const check = () => ids.every((id) => own.ended[id] !== undefined) && resolve();
  const handler = async ({ requestId, state, reason }) => {
    const { conflicts } = await queue.explain(requestId);
    tell('ended', { id: requestId, state, reason, conflicts });
    own.ended[requestId] = state;
    saveOwn();
    check();
  };
  queue.subscribe({ ids }, handler, { durable: 'visit-17' });
  check();
});

await queue.idle();
tell('rest', { counts: await queue.counts() });
await allEnded;
tell('ticket', { serverId: await queue.serverId(ticket), ticket: await tickets.get(ticket) });
await queue.close();
// Nothing of the queue is open any more: without the channel to the story, this process ends by itself.
process.disconnect();

function saveOwn() {
  writeFileSync(`${ownFile}.new`, JSON.stringify(own));
  renameSync(`${ownFile}.new`, ownFile);
}
