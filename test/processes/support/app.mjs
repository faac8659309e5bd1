// An application under remote control: `node app.mjs <order as JSON>` opens a queue over a database and then does what
// each line of its input says, as JSON. What happens it says in lines of its own, synchronously.
//   { do: 'call', name, method, url, token?, body?, lane? }   → accepted <name> <id> · settled <name> <state> <status>
//   { do: 'idle', name }                                      → idle <name> <counts as JSON>
//   { do: 'close' }                                           → closed; the process then ends by itself

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** @type {{ dist: string, database: string, options?: object }} */
const order = JSON.parse(process.argv[2]);
const { QuickSetup } = await import(pathToFileURL(`${order.dist}/index.js`).href);
const say = (line) => writeSync(1, `${line}\n`);

const queue = await QuickSetup.sqlite(order.database, {
  retry: { baseDelayMs: 20, maxDelayMs: 200 },
  ...order.options,
});
say('open');

const commands = {
  call({ name, method, url, token, body, lane }) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const handle = queue.call({ method, url, headers, body }, lane === undefined ? {} : { lane });
    const failed = (error) => say(`failed ${name} ${error.code}`);
    handle.accepted().then(({ id }) => say(`accepted ${name} ${id}`), failed);
    handle.settled().then(({ state, response }) => say(`settled ${name} ${state} ${response?.status}`), failed);
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
