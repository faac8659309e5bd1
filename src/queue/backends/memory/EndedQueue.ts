import type { Entry } from './Entry.ts';
import { Heap, isBefore } from './Heap.ts';

/**
 * Ended requests, oldest first by (endedAt, endedSeq). They come in that order unless the clock steps back, so most of
 * them stand in a row that costs nothing to keep; only those out of order go through a heap.
 */
export class EndedQueue {
  #row: Entry[] = [];
  #start = 0;
  readonly #stray = new Heap<Entry>();

  get size(): number {
    return this.#row.length - this.#start + this.#stray.size;
  }

  push(entry: Entry): void {
    const last = this.#row.at(-1);
    entry.heapKey = entry.endedAt;
    entry.heapTie = entry.endedSeq;
    if (last === undefined || isBefore(last, entry)) this.#row.push(entry);
    else this.#stray.push(entry, entry.endedAt, entry.endedSeq);
  }

  top(): Entry | undefined {
    const next = this.#row[this.#start];
    const stray = this.#stray.top();
    if (next === undefined || stray === undefined) return next ?? stray;
    return isBefore(stray, next) ? stray : next;
  }

  pop(): Entry | undefined {
    const entry = this.top();
    if (entry === undefined) return undefined;
    if (entry !== this.#row[this.#start]) {
      this.#stray.remove(entry);
      return entry;
    }
    this.#start += 1;
    if (this.#start * 2 > this.#row.length) {
      this.#row = this.#row.slice(this.#start);
      this.#start = 0;
    }
    return entry;
  }

  /** Takes one out of the middle. */
  remove(entry: Entry): void {
    const index = this.#row.indexOf(entry, this.#start);
    if (index === -1) this.#stray.remove(entry);
    else this.#row.splice(index, 1);
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (let index = this.#start; index < this.#row.length; index += 1) yield this.#row[index] as Entry; // in range
    yield* this.#stray;
  }
}
