// An application that can be made to die at a point of its requests' way: `node faultChild.mjs <order as JSON>` opens a queue on the store of its
// order and does what each line of its input says. What happens it says in lines of its own, synchronously, so that it is heard even if it dies next.
//   { do: 'localId', name, type }                      → localId <name> <local id>
//   { do: 'enqueue', name, request, options, pad }     → accepted <name> <id>, or failed <name> <code>; the body gets a field of `pad` bytes
//   { do: 'create', name, body, pad }                  → the same, of an order
//   { do: 'call', name, request, options }             → accepted … · settled <name> <state> <status>
//   { do: 'stop' }                                     → stopping; then it stops itself, at a moment at which it holds no lock of its store
//   { do: 'idle', name }                               → idle <name> <counts as JSON>
// At the point of its order it says `dying <point>` and kills itself, once so many requests have come to it.

import { subscribe } from 'node:diagnostics_channel';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** @type {import('./order.ts').FaultOrder} */
const order = JSON.parse(process.argv[2]);
const load = (path) => import(pathToFileURL(`${order.dist}/${path}`).href);
const [{ ApiClient, QueueManager, createUndiciTransport }, { hookBackend }, { systemClock }] = await Promise.all([
  load('index.js'),
  load('testing/index.js'),
  load('system/clock.js'),
]);
const say = (line) => writeSync(1, `${line}\n`);
const never = () => new Promise(() => undefined);

const { die } = order;
let reached = 0;
/** So many more requests have come to a point; the last one of the order kills. */
function reach(point, count = 1) {
  if (die?.at !== point) return;
  reached += count;
  if (reached < die.count) return;
  say(`dying ${point} ${reached}`);
  process.kill(process.pid, 'SIGKILL');
}

async function createStore() {
  const { kind, ...at } = order.backend;
  if (kind === 'sqlite') {
    const { SQLiteBackend } = await load('queue/backends/sqlite/SQLiteBackend.js');
    return new SQLiteBackend(at);
  }
  const { RedisBackend } = await load('queue/backends/redis/RedisBackend.js');
  return new RedisBackend(at, { clock: systemClock });
}

/** Verbs of the store under way. */
let underWay = 0;
const store = await createStore();
const hooked = hookBackend(store, {
  before() {
    underWay += 1;
  },
  after(verb, _query, result) {
    underWay -= 1;
    if (verb === 'enqueue') {
      reach('accepted', result.length);
      reach('claimed', result.filter(({ token }) => token != null).length);
    }
    if (verb === 'claim') reach('claimed', result.claimed.length);
    if (verb === 'settle') reach('settled', result.length);
  },
});

const backend = {
  ...hooked,
  async keepAlive(query) {
    underWay += 1;
    await store.keepAlive(query).finally(() => {
      underWay -= 1;
    });
  },
};

const inner = createUndiciTransport();
const transport = {
  async send(call) {
    reach('beforeFirstByte');
    // Whoever dies before the first byte sends none meanwhile.
    if (die?.at === 'claimed' || die?.at === 'beforeFirstByte') return never();
    const result = await inner.send(call);
    if (result.phase === 'answered') reach('answered');
    return die?.at === 'answered' ? never() : result;
  },
  close: () => inner.close(),
};
subscribe('undici:request:bodySent', () => reach('afterBody'));
subscribe('undici:request:headers', () => reach('head'));

const queue = new QueueManager({
  config: { retry: { baseDelayMs: 20, maxDelayMs: 200 }, zones: order.zones, ...order.options },
  backend,
  transport,
});
await queue.start();
const orders = order.orders && ordersOf(order.orders);
if (order.paused === true) queue.pause();
say('open');

function ordersOf({ baseUrl, client, name, field, path }) {
  const list = (_, stamp) => `${path}?${field}=${stamp}`;
  return new ApiClient({ queue, baseUrl, name: client }).resource(name, { path, stamp: { field, path: list } });
}

const padded = (body, pad) => (pad === 0 ? body : { ...body, pad: 'x'.repeat(pad) });

function accept(name, accepted) {
  accepted.then(
    ({ id }) => say(`accepted ${name} ${id}`),
    (error) => say(`failed ${name} ${error.code}`),
  );
}

const commands = {
  localId({ name, type }) {
    say(`localId ${name} ${queue.localId(type)}`);
  },
  enqueue({ name, request, options, pad = 0 }) {
    accept(name, queue.enqueue({ ...request, body: padded(request.body, pad) }, options));
  },
  create({ name, body, pad = 0 }) {
    accept(name, orders.create(padded(body, pad)).accepted());
  },
  call({ name, request, options }) {
    const handle = queue.call(request, options);
    const failed = (error) => say(`failed ${name} ${error.code}`);
    handle.accepted().then(({ id }) => say(`accepted ${name} ${id}`), failed);
    handle.settled().then(({ state, response }) => say(`settled ${name} ${state} ${response?.status}`), failed);
  },
  async stop() {
    while (underWay > 0) await new Promise((resolve) => setImmediate(resolve));
    say('stopping');
    process.kill(process.pid, 'SIGSTOP');
  },
  async idle({ name }) {
    await queue.idle();
    say(`idle ${name} ${JSON.stringify(await queue.counts())}`);
  },
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  void commands[command.do](command);
});
