// A process that is made to be killed: `node migrateChild.mjs <from> <to> <n> <during>` moves what waits from one database to the
// other and kills itself at the n-th verb: before it, or, with `during`, once the verb is on its way to the database. Runs from the
// built package. Prints how many verbs there were if it survives.

import { writeSync } from 'node:fs';
import { migrateQueue } from '../../../dist/index.js';
import { SQLiteBackend } from '../../../dist/queue/backends/sqlite/SQLiteBackend.js';

const [from, to, at, during] = process.argv.slice(2);
let verbs = 0;

const die = () => process.kill(process.pid, 'SIGKILL');

function wrapped(port) {
  return new Proxy(port, {
    get(target, name) {
      const verb = target[name];
      if (typeof verb !== 'function' || name === 'watch') return verb;
      return (...args) => {
        verbs += 1;
        const isHere = verbs === Number(at);
        if (isHere && during !== 'during') die();
        const answer = verb.apply(target, args);
        if (isHere) setImmediate(die);
        return answer;
      };
    },
  });
}

function stepwise(backend) {
  const { capabilities, requests, schedules, shared, history } = backend;
  return {
    capabilities,
    requests: wrapped(requests),
    schedules: wrapped(schedules),
    shared: wrapped(shared),
    history,
    open: (options) => backend.open(options),
    keepAlive: (query) => backend.keepAlive(query),
    close: () => backend.close(),
  };
}

const [source, destination] = [new SQLiteBackend({ path: from }), new SQLiteBackend({ path: to })];
const { moved } = await migrateQueue(stepwise(source), stepwise(destination), { limit: 3 });
await Promise.all([source.close(), destination.close()]);
writeSync(1, `survived ${verbs} ${moved}\n`);
