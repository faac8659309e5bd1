import type { History } from '../../types/backend.ts';
import type { Json } from '../../types/request.ts';
import type { Call } from './protocol.ts';

/** Append-only streams, as calls to the thread that owns the database. */
export function historyOver(call: Call): History {
  return {
    append: ({ entries }) =>
      call(
        'append',
        entries.map(({ stream, at, data }) => [stream, at, JSON.stringify(data)]),
        (seqs) => seqs,
      ),
    query: ({ stream, after, limit }) =>
      call(
        'history',
        [stream, after, limit],
        (found) => found.map(([seq, at, text]) => ({ seq, stream, at, data: JSON.parse(text) as Json })), // written by `append`
      ),
    trim: ({ stream, keep, before }) => call('trim', [stream, keep, before], (count) => count),
  };
}
