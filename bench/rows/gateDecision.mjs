import { count, fixed, ratios } from '../lib/pairs.mjs';
import { runFresh } from '../lib/spawn.mjs';
import { median } from '../lib/statistics.mjs';

/** With that of their zone these are all that are told apart. */
const CHANNELS = 999;
/** Nothing is collected while it is measured. */
const HEAP = { execArgv: ['--expose-gc', '--max-semi-space-size=256'] };

/** What it costs to ask whether a channel is open, where there are many. */
export const gateDecision = {
  numbers: [13],
  async run({ rounds, progress }) {
    progress('decisions');
    const result = await runFresh('gateDecision', { channels: CHANNELS, rounds: 3 * rounds }, HEAP);
    const { one, all, bytesOne, bytesAll } = result;
    const lines = [
      {
        row: 13,
        what: `gate decision: of ${count(CHANNELS)} channels / of one`,
        target: { most: 2 },
        unit: '×',
        value: ratios(all, one),
        ours: `${fixed(median(all))} ns`,
        theirs: `${fixed(median(one))} ns`,
        note: `a decision leaves ${fixed(bytesAll)} bytes on the heap of ${count(CHANNELS)} channels, ${fixed(bytesOne)} of one`,
      },
    ];
    return { results: result, lines };
  },
};
