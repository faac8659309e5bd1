// An application under remote control: `node fetchApp.mjs <order as JSON>` opens a queue over a database and then does what each line
// of its input says, as JSON. What happens it says in lines of its own, synchronously.
//   { do: 'fetch', name, url, init }   → answered <name> <status> <url> <body> · failed <name> <code>
//   { do: 'status', name, id }         → as fetch
//   { do: 'result', name, id }         → result <name> <status> <body> · failed <name> <code>
//   { do: 'stored', name }             → stored <name> <[id, state][] as JSON>
//   { do: 'idle', name }               → idle <name> <counts as JSON>
//   { do: 'close' }                    → closed; the process then ends by itself

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** @type {{ dist: string, database: string, options?: object }} */
const order = JSON.parse(process.argv[2]);
const { QuickSetup, holdfastError } = await import(pathToFileURL(`${order.dist}/index.js`).href);
const say = (line) => writeSync(1, `${line}\n`);

const queue = await QuickSetup.sqlite(order.database, {
  retry: { baseDelayMs: 20, maxDelayMs: 200 },
  ...order.options,
});
queue.on('zone:offline', () => say('offline'));
say('open');

async function answered(name, call) {
  try {
    const response = await call;
    say(`answered ${name} ${response.status} ${response.url} ${await response.text()}`);
  } catch (error) {
    say(`failed ${name} ${holdfastError(error)?.code ?? error.cause?.message ?? error.message}`);
  }
}

const commands = {
  fetch: ({ name, url, init }) => answered(name, queue.fetch(url, init)),
  status: ({ name, id }) => answered(name, queue.fetch(`https://queue.invalid/requests/${id}`)),
  async result({ name, id }) {
    try {
      const { response } = await queue.callHandle(id).settled();
      say(`result ${name} ${response?.status} ${Buffer.from(response?.body ?? []).toString()}`);
    } catch (error) {
      say(`failed ${name} ${error.code}`);
    }
  },
  async stored({ name }) {
    const { requests } = await queue.find({});
    say(`stored ${name} ${JSON.stringify(requests.map(({ id, state }) => [id, state]))}`);
  },
  async idle({ name }) {
    await queue.idle();
    say(`idle ${name} ${JSON.stringify(await queue.counts())}`);
  },
  async close() {
    input.close();
    process.stdin.destroy();
    await queue.close();
    say('closed');
  },
};

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const command = JSON.parse(line);
  void commands[command.do](command);
});
