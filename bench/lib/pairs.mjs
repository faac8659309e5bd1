import { median, spread } from './statistics.mjs';

/**
 * Runs the sides in turn, so many rounds: what the machine does besides meets all of them alike.
 *
 * @param {Record<string, () => Promise<object>>} sides
 * @param {{ rounds: number, progress: (text: string) => void }} options
 * @returns the results of each side, in the order of the rounds
 */
export async function alternate(sides, { rounds, progress }) {
  const results = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, run] of Object.entries(sides)) {
      progress(`${name}, ${round} of ${rounds}`);
      results[name].push(await run());
    }
  }
  return results;
}

/** Median and range of the ratios of the pairs: of each round, ours over theirs. */
export function ratios(ours, theirs) {
  return spread(ours.map((value, index) => value / theirs[index]));
}

/** One line of the table, from the throughput of two sides. */
export function throughputLine(line, ours, theirs) {
  const rate = ({ perSecond }) => perSecond;
  const p99 = ({ p99 }) => p99;
  return {
    ...line,
    unit: '×',
    value: ratios(ours.map(rate), theirs.map(rate)),
    ours: `${count(median(ours.map(rate)))}/s`,
    theirs: `${count(median(theirs.map(rate)))}/s`,
    p99: `${fixed(median(ours.map(p99)))} / ${fixed(median(theirs.map(p99)))} ms`,
    cpu: { ours: medianCpu(ours), theirs: medianCpu(theirs) },
  };
}

function medianCpu(results) {
  return median(results.map(({ cpuUsPerCall }) => cpuUsPerCall));
}

export function count(value) {
  return Math.round(value).toLocaleString('en');
}

export function fixed(value) {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
