import type { History, HistoryEntry } from '../../types/backend.ts';
import type { Json } from '../../types/request.ts';
import type { HistoryRow, MemoryStorage } from './MemoryStorage.ts';

type Query<Verb extends keyof History> = Parameters<History[Verb]>[0];

/** The verbs of {@link History} on a memory store, each in one synchronous step. Data is kept as text. */
export class MemoryHistory {
  readonly #storage: MemoryStorage;

  constructor(storage: MemoryStorage) {
    this.#storage = storage;
  }

  append({ entries }: Query<'append'>): number[] {
    const storage = this.#storage;
    return entries.map(({ stream, at, data }) => {
      const row = { seq: ++storage.lastHistorySeq, at, text: JSON.stringify(data) };
      const rows = storage.history.get(stream);
      if (rows === undefined) storage.history.set(stream, [row]);
      else rows.push(row);
      return row.seq;
    });
  }

  query({ stream, after, limit }: Query<'query'>): HistoryEntry[] {
    const rows = this.#storage.history.get(stream) ?? [];
    const start = firstAfter(rows, after);
    return rows
      .slice(start, start + limit)
      .map(({ seq, at, text }) => ({ seq, stream, at, data: JSON.parse(text) as Json })); // written by append
  }

  trim({ stream, keep, before }: Query<'trim'>): number {
    const rows = this.#storage.history.get(stream);
    if (rows === undefined) return 0;
    const kept = rows.filter(({ at }, index) => index >= rows.length - keep && at >= before);
    if (kept.length === 0) this.#storage.history.delete(stream);
    else if (kept.length < rows.length) this.#storage.history.set(stream, kept);
    return rows.length - kept.length;
  }
}

function firstAfter(rows: readonly HistoryRow[], after: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] as HistoryRow).seq <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
