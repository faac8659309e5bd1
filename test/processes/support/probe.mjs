// What importing the package does to a process: `node probe.mjs <dist> [use]`. Says one line of JSON: what differs from
// before. With `use`, it also opens, uses and closes a queue in memory first.

import { readdirSync, writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [dist, mode] = process.argv.slice(2);
const DISPATCHER = Symbol.for('undici.globalDispatcher.1');

await fetch('data:,warm'); // Node sets its dispatcher up at the first use of its fetch

/** zod keeps its registry on the global object, so that its copies share it; nothing of ours reads or changes it. */
const OF_ZOD = new Set(['__zod_globalConfig', '__zod_globalRegistry']);

function look() {
  return {
    globals: Reflect.ownKeys(globalThis)
      .map(String)
      .filter((name) => !OF_ZOD.has(name)),
    listeners: process.eventNames().map((name) => `${String(name)} ${process.listenerCount(name)}`),
    resources: process.getActiveResourcesInfo(),
    environment: Object.entries(process.env).map(([name, value]) => `${name}=${value}`),
    files: readdirSync('.'),
    prototypes: [Object, Array, Promise, Function, Error].flatMap((type) =>
      Reflect.ownKeys(type.prototype).map((name) => `${type.name}.${String(name)}`),
    ),
    fetch: [globalThis.fetch],
    dispatcher: [globalThis[DISPATCHER]],
  };
}

/** Sockets that were closed need a few turns of the event loop to go. */
async function turns() {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

await turns();
const before = look();
const { QuickSetup } = await import(pathToFileURL(`${dist}/index.js`).href);
if (mode === 'use') {
  const queue = await QuickSetup.memory();
  // Nobody listens at port 9.
  await queue.enqueue({ method: 'POST', url: 'http://127.0.0.1:9/', body: {} });
  await queue.close();
}
await turns();
const after = look();

const changed = Object.keys(before).flatMap((key) => [
  ...before[key].filter((value) => !after[key].includes(value)).map((value) => `${key}: gone ${String(value)}`),
  ...after[key].filter((value) => !before[key].includes(value)).map((value) => `${key}: new ${String(value)}`),
]);
writeSync(1, `${JSON.stringify(changed)}\n`);
