import { count, fixed, ratios } from '../lib/pairs.mjs';
import { runFresh } from '../lib/spawn.mjs';
import { median } from '../lib/statistics.mjs';

const CLAIMS = 50;
const SMALL = { ready: 1_000 };
const HEAP = { execArgv: ['--max-old-space-size=12288'] };

/** The cost of a claim against what waits, and against what waits ahead of it and cannot go. */
export const claimCost = {
  numbers: [5],
  async run({ rounds, backlog, progress }) {
    const ahead = 100_000;
    const cases = [
      { counts: { ready: backlog }, name: `${count(backlog)} waiting`, most: 1.3 },
      { counts: { ready: 1_000, delayed: ahead }, name: `1,000 waiting, ${count(ahead)} delayed ahead`, most: 1.3 },
      { counts: { ready: 1_000, blocked: ahead }, name: `1,000 waiting, ${count(ahead)} blocked ahead`, most: 1.3 },
      {
        counts: { ready: 100_000, delayed: ahead },
        name: `100,000 waiting, ${count(ahead)} delayed ahead`,
        most: 1.5,
      },
    ];
    const results = {};
    const lines = [];
    for (const kind of ['memory', 'sqlite']) {
      for (const { counts, name, most } of cases) {
        progress(`${kind}, ${name}`);
        const options = { kind, stores: [counts, SMALL], rounds, claims: CLAIMS };
        const { sides } = await runFresh('claimCost', options, HEAP);
        const [large, small] = sides;
        results[`${kind}, ${name}`] = sides;
        lines.push({
          row: 5,
          what: `claim, ${kind}: ${name} / 1,000 waiting`,
          target: { most },
          unit: '×',
          value: ratios(large.medians, small.medians),
          ours: `${fixed(median(large.medians))} µs`,
          theirs: `${fixed(median(small.medians))} µs`,
          p99: `${fixed(large.p99)} / ${fixed(small.p99)} µs`,
        });
      }
    }
    return { results, lines };
  },
};
