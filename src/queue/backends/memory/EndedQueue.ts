import type { Entry } from './Entry.ts';
import { Heap, isBefore } from './Heap.ts';

/**
 * Ended requests, oldest first by (endedAt, endedSeq). They come in that order unless the clock steps back, so most of
 * them stand in a row that costs nothing to keep; only those out of order go through a heap.
 */
export class EndedQueue {
  #row: Entry[] = [];
  #start = 0;
  /** Entries of the row that were taken out of its middle; they are marked `purged`. */
  #gone = 0;
  readonly #stray = new Heap<Entry>();

  get size(): number {
    return this.#row.length - this.#start - this.#gone + this.#stray.size;
  }

  push(entry: Entry): void {
    const last = this.#row.at(-1);
    entry.heapKey = entry.endedAt;
    entry.heapTie = entry.endedSeq;
    if (last === undefined || isBefore(last, entry)) this.#row.push(entry);
    else this.#stray.push(entry, entry.endedAt, entry.endedSeq);
  }

  top(): Entry | undefined {
    const next = this.#next();
    const stray = this.#stray.top();
    if (next === undefined || stray === undefined) return next ?? stray;
    return isBefore(stray, next) ? stray : next;
  }

  pop(): Entry | undefined {
    const entry = this.top();
    if (entry === undefined) return undefined;
    if (entry.heapIndex >= 0) {
      this.#stray.remove(entry);
      return entry;
    }
    this.#start += 1;
    if (this.#start * 2 > this.#row.length) this.#compact();
    return entry;
  }

  /** Takes out one that is about to be purged, wherever it stands. */
  remove(entry: Entry): void {
    entry.purged = true;
    if (entry.heapIndex >= 0) {
      this.#stray.remove(entry);
      return;
    }
    this.#gone += 1;
    if (this.#gone * 2 > this.#row.length) this.#compact();
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (let index = this.#start; index < this.#row.length; index += 1) {
      const entry = this.#row[index] as Entry; // in range
      if (!entry.purged) yield entry;
    }
    yield* this.#stray;
  }

  #next(): Entry | undefined {
    for (;;) {
      const next = this.#row[this.#start];
      if (next === undefined || !next.purged) return next;
      this.#start += 1;
      this.#gone -= 1;
    }
  }

  #compact(): void {
    this.#row = this.#row.slice(this.#start);
    this.#start = 0;
    if (this.#gone === 0) return;
    this.#row = this.#row.filter((entry) => !entry.purged);
    this.#gone = 0;
  }
}
