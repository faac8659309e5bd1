// What importing the package does to a process: `node probe.mjs <dist> [use]`. Says one line of JSON: what differs from
// before. With `use`, it also opens, uses and closes a queue in memory first.

import { readdirSync, writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [dist, mode] = process.argv.slice(2);
const DISPATCHER = Symbol.for('undici.globalDispatcher.1');

await fetch('data:,warm'); // Node sets its dispatcher up at the first use of its fetch

function look() {
  return {
    globals: Reflect.ownKeys(globalThis).map(String),
    listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
    resources: process.getActiveResourcesInfo(),
    environment: { ...process.env },
    files: readdirSync('.'),
    prototypes: [Object.prototype, Array.prototype, Promise.prototype, Function.prototype].map((prototype) =>
      Reflect.ownKeys(prototype).map(String),
    ),
  };
}

const before = { ...look(), fetch: globalThis.fetch, dispatcher: globalThis[DISPATCHER] };
const { QuickSetup } = await import(pathToFileURL(`${dist}/index.js`).href);
if (mode === 'use') {
  const queue = await QuickSetup.memory({ retry: { baseDelayMs: 1, maxDelayMs: 1 } });
  // Port 9 of the loopback discards, or rather, refuses.
  await queue.enqueue({ method: 'POST', url: 'http://127.0.0.1:9/', body: {} });
  await queue.close();
}
const after = { ...look(), fetch: globalThis.fetch, dispatcher: globalThis[DISPATCHER] };

const changed = Object.keys(before).filter((key) =>
  typeof before[key] === 'function' || key === 'dispatcher'
    ? before[key] !== after[key]
    : JSON.stringify(before[key]) !== JSON.stringify(after[key]),
);
writeSync(1, `${JSON.stringify(changed.map((key) => ({ key, before: before[key], after: after[key] })))}\n`);
