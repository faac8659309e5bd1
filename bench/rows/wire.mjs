import { alternate, throughputLine } from '../lib/pairs.mjs';
import { runFresh, serve } from '../lib/spawn.mjs';

/** Rows with a wire: POSTs through `ApiClient` or `queue.fetch` and SQLite (FULL) beside clients that keep nothing. */
export const wire = {
  numbers: [1, 2, 10],
  async run({ rounds, loop, progress, wants }) {
    const server = await serve('server');
    const options = { origin: server.origin, loop };
    const wide = { ...options, concurrency: 100 };
    const sides = {
      ours: wants(1) || wants(2) ? () => runFresh('apiClient', options) : undefined,
      'undici pool': wants(1) ? () => runFresh('undiciPool', options) : undefined,
      'ours at 100': wants(1) || wants(2) ? () => runFresh('apiClient', wide) : undefined,
      fetch: wants(2) || wants(10) ? () => runFresh('fetch', options) : undefined,
      'queue.fetch': wants(10) ? () => runFresh('queuedFetch', options) : undefined,
      'queue.fetch at 100': wants(10) ? () => runFresh('queuedFetch', wide) : undefined,
    };
    const results = await alternate(
      Object.fromEntries(Object.entries(sides).filter(([, side]) => side !== undefined)),
      {
        rounds,
        progress,
      },
    );
    await server.stop();
    const line = (row, what, ours, theirs, { target, note } = {}) =>
      wants(row) ? [throughputLine({ row, what, target, note }, results[ours], results[theirs])] : [];
    const client = 'ApiClient + SQLite';
    const queued = 'queue.fetch + SQLite';
    const note = 'not the defaults: zone and queue send 100 at once instead of 10 and 25';
    return {
      results,
      lines: [
        ...line(1, `${client} / bare undici pool`, 'ours', 'undici pool', { target: { least: 0.5 } }),
        ...line(1, `${client} (100 at once) / bare undici pool`, 'ours at 100', 'undici pool', { note }),
        ...line(2, `${client} / bare fetch`, 'ours', 'fetch', { target: { least: 3 } }),
        ...line(2, `${client} (100 at once) / bare fetch`, 'ours at 100', 'fetch', { note }),
        ...line(10, `${queued} / bare fetch`, 'queue.fetch', 'fetch', { target: { least: 0.8 } }),
        ...line(10, `${queued} (100 at once) / bare fetch`, 'queue.fetch at 100', 'fetch', { note }),
      ],
    };
  },
};
