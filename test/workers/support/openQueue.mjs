// What workers and producers have in common: their order, how they say things, and the queue.
//   log <level> <message> <code or message of the error, if any>    what the queue logged

import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const given = JSON.parse(process.argv[2]);
const load = (path) => import(pathToFileURL(`${given.dist}/${path}`).href);
const [{ QueueManager }, { systemClock }] = await Promise.all([load('index.js'), load('system/clock.js')]);

export const order = given;
/** One line, out at once: it is heard even if the process dies next. */
export const say = (line) => writeSync(1, `${line}\n`);

const offset = order.clockOffsetMs;
const clock = {
  now: () => systemClock.now() + offset,
  monotonicNow: () => systemClock.monotonicNow() + offset,
  schedule: systemClock.schedule,
};

const log = (level) => (message, fields) => say(`log ${level} ${message}: ${fields?.error ?? fields?.status ?? ''}`);
const logger = { debug: () => undefined, info: () => undefined, warn: log('warn'), error: log('error') };

/** Resolves after `ms`. */
export const wait = (ms) => new Promise((resolve) => systemClock.schedule(ms, resolve, { keepAlive: true }));

/** The queue, started; while the store cannot be opened it is tried again, as a supervisor would. */
export async function openQueue(options) {
  const queue = new QueueManager({
    clock,
    config: {
      name: order.name,
      backend: order.backend,
      zones: { api: { origins: [order.origin], idempotency: 'ietf' } },
      retry: { baseDelayMs: 5, maxDelayMs: 50 },
      leaseMs: order.leaseMs,
      maxSize: 1_000_000,
      retention: { maxRecords: 1_000_000 },
      logger,
      ...options,
    },
  });
  for (;;) {
    try {
      await queue.start();
      break;
    } catch (error) {
      if (error.code !== 'BACKEND_UNAVAILABLE') throw error;
      say(`log warn not started: ${error.message}`);
      await wait(100);
    }
  }
  say('open');
  return queue;
}
