import { alternate, throughputLine } from '../lib/pairs.mjs';
import { runFresh } from '../lib/spawn.mjs';

/** accept → claim → settle on SQLite beside plainjob's add → process, at the same `synchronous`. */
export const sqliteLifecycle = {
  numbers: [3],
  async run({ rounds, loop, progress }) {
    const results = await alternate(
      {
        'ours FULL': () => runFresh('lifecycle', { kind: 'sqlite', loop }),
        'plainjob FULL': () => runFresh('plainjob', { synchronous: 'FULL', loop }),
        'ours NORMAL': () => runFresh('lifecycle', { kind: 'sqlite', durability: 'normal', loop }),
        'plainjob NORMAL': () => runFresh('plainjob', { synchronous: 'NORMAL', loop }),
      },
      { rounds, progress },
    );
    const normal = 'for information: plainjob sets NORMAL itself; FULL was set after it opened';
    return {
      results,
      lines: [
        throughputLine(
          { row: 3, what: 'SQLite lifecycle / plainjob, both FULL', target: { least: 10 } },
          results['ours FULL'],
          results['plainjob FULL'],
        ),
        throughputLine(
          { row: 3, what: 'SQLite lifecycle / plainjob, both NORMAL', note: normal },
          results['ours NORMAL'],
          results['plainjob NORMAL'],
        ),
      ],
    };
  },
};

/** The same in memory beside a bare p-queue. */
export const memoryLifecycle = {
  numbers: [4],
  async run({ rounds, loop, progress }) {
    const results = await alternate(
      {
        ours: () => runFresh('lifecycle', { kind: 'memory', loop }),
        'p-queue': () => runFresh('pQueue', { loop }),
      },
      { rounds, progress },
    );
    const line = { row: 4, what: 'memory lifecycle / bare p-queue', target: { least: 0.25 } };
    return { results, lines: [throughputLine(line, results.ours, results['p-queue'])] };
  },
};
