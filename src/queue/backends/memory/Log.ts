import type { Entry } from './Entry.ts';

/** Entries in ascending order of a number of theirs; purged ones are skipped and swept out when they are half of it. */
export class Log {
  #entries: Entry[] = [];
  #purged = 0;
  readonly #place: (entry: Entry) => number;

  constructor(place: (entry: Entry) => number) {
    this.#place = place;
  }

  get size(): number {
    return this.#entries.length - this.#purged;
  }

  append(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** To be told once for each entry that was marked `purged`. */
  forget(): void {
    this.#purged += 1;
    if (this.#purged < 32 || this.#purged * 2 < this.#entries.length) return;
    this.#entries = this.#entries.filter((entry) => !entry.purged);
    this.#purged = 0;
  }

  /** Takes back the last entry appended. */
  retract(): void {
    this.#entries.pop();
  }

  /** Those whose place is greater than `after`, ascending. */
  *since(after: number): Generator<Entry> {
    const entries = this.#entries;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#place(entries[middle] as Entry) <= after) low = middle + 1;
      else high = middle;
    }
    for (let index = low; index < entries.length; index += 1) {
      const entry = entries[index] as Entry; // in range
      if (!entry.purged) yield entry;
    }
  }
}
