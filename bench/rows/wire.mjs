import { alternate, throughputLine } from '../lib/pairs.mjs';
import { runFresh, serve } from '../lib/spawn.mjs';

/** Rows with a wire: POSTs through `ApiClient` and SQLite (FULL) beside clients that keep nothing. */
export const wire = {
  numbers: [1, 2],
  async run({ rounds, loop, progress }) {
    const server = await serve('server');
    const options = { origin: server.origin, loop };
    const results = await alternate(
      {
        ours: () => runFresh('apiClient', options),
        'undici pool': () => runFresh('undiciPool', options),
        'ours at 100': () => runFresh('apiClient', { ...options, concurrency: 100 }),
        fetch: () => runFresh('fetch', options),
      },
      { rounds, progress },
    );
    await server.stop();
    const { ours, fetch } = results;
    const pool = results['undici pool'];
    const wide = results['ours at 100'];
    const what = 'ApiClient + SQLite';
    const apart = 'not the defaults: zone and queue send 100 at once instead of 10 and 25';
    return {
      results,
      lines: [
        throughputLine({ row: 1, what: `${what} / bare undici pool`, target: { least: 0.5 } }, ours, pool),
        throughputLine({ row: 1, what: `${what} (100 at once) / bare undici pool`, note: apart }, wide, pool),
        throughputLine({ row: 2, what: `${what} / bare fetch`, target: { least: 3 } }, ours, fetch),
        throughputLine({ row: 2, what: `${what} (100 at once) / bare fetch`, note: apart }, wide, fetch),
      ],
    };
  },
};
