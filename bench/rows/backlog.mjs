import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeDatabase } from '../lib/backlog.mjs';
import { inFolder } from '../lib/folder.mjs';
import { alternate, count, fixed, ratios, throughputLine } from '../lib/pairs.mjs';
import { runFresh } from '../lib/spawn.mjs';
import { median, spread } from '../lib/statistics.mjs';

const GC = { execArgv: ['--expose-gc'] };

/** SQLite beside a great backlog and without one: throughput, memory, and the time to the first dispatch. */
export const backlogRows = {
  numbers: [6, 8, 9],
  run({ rounds, loop, backlog, progress, wants }) {
    return inFolder(async (folder) => {
      const full = join(folder, 'full.db');
      const small = join(folder, 'small.db');
      progress(`filling a database with ${count(backlog)}`);
      const filled = await runFresh('fill', { path: full, counts: { ready: backlog } });
      await runFresh('fill', { path: small, counts: { ready: 1_000 } });
      const given = { folder, full, small, rounds, loop, backlog, progress };
      const results = { filled };
      const lines = [];
      for (const [number, row] of [
        [6, throughput],
        [8, memory],
        [9, firstDispatch],
      ]) {
        if (!wants(number)) continue;
        const found = await row(given);
        results[number] = found.results;
        lines.push(...found.lines);
      }
      return { results, lines };
    });
  },
};

/** Runs on a copy of a database, on the disk before the clock starts. */
async function onCopy(folder, from, work) {
  const path = join(folder, 'copy.db');
  copyFileSync(from, path);
  execFileSync('sync', [folder]);
  try {
    return await work(path);
  } finally {
    removeDatabase(path);
  }
}

async function throughput({ folder, full, rounds, loop, backlog, progress }) {
  const options = { kind: 'sqlite', roomy: true, loop };
  const results = await alternate(
    {
      backlog: () => onCopy(folder, full, (path) => runFresh('lifecycle', { ...options, path })),
      empty: () => runFresh('lifecycle', options),
    },
    { rounds, progress: (text) => progress(`lifecycle, ${text}`) },
  );
  const line = {
    row: 6,
    what: `SQLite lifecycle: ${count(backlog)} waiting / empty`,
    target: { least: 0.7 },
    note: 'what waits is ready, in a zone that this process does not send to',
  };
  return { results, lines: [throughputLine(line, results.backlog, results.empty)] };
}

async function memory({ folder, full, rounds, backlog, progress }) {
  const held = (path) => runFresh('memoryHeld', { path }, GC);
  const results = await alternate(
    {
      backlog: () => onCopy(folder, full, held),
      empty: async () => {
        const path = join(folder, 'empty.db');
        const result = await held(path);
        removeDatabase(path);
        return result;
      },
    },
    { rounds, progress: (text) => progress(`memory, ${text}`) },
  );
  const rss = (side) => results[side].map(({ rssMiB }) => rssMiB);
  const [large, none] = [rss('backlog'), rss('empty')];
  const line = {
    row: 8,
    what: `memory held by ${count(backlog)} waiting on SQLite`,
    target: { most: 64 },
    unit: ' MiB',
    value: spread(large.map((mib, index) => mib - none[index])),
    ours: `${fixed(median(large))} MiB`,
    theirs: `${fixed(median(none))} MiB`,
  };
  return { results, lines: [line] };
}

/** Lets the system forget what it keeps of a file, so that reading it is reading the disk; where it can be asked to. */
function dropCache(path) {
  try {
    execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
  } catch {
    // Not GNU's: the file stays in the system's cache, for both sides alike.
  }
}

async function firstDispatch({ full, small, rounds, backlog, progress }) {
  const cold = (path) => {
    dropCache(path);
    return runFresh('firstDispatch', { path });
  };
  const results = await alternate(
    { backlog: () => cold(full), '1,000': () => cold(small) },
    { rounds, progress: (text) => progress(`first dispatch, ${text}`) },
  );
  const first = (side) => results[side].map(({ firstMs }) => firstMs);
  const [large, few] = [first('backlog'), first('1,000')];
  const sides = { ours: `${fixed(median(large))} ms`, theirs: `${fixed(median(few))} ms` };
  const what = `start() to first dispatch, ${count(backlog)} waiting`;
  return {
    results,
    lines: [
      { row: 9, what, target: { most: 1_000 }, unit: ' ms', value: spread(large), ...sides },
      {
        row: 9,
        what: `${what} / 1,000 waiting`,
        unit: '×',
        value: ratios(large, few),
        ...sides,
        note: 'near 1: what is read does not grow with what waits',
      },
    ],
  };
}
