/** Most items of a part: more are split. */
const LARGEST = 512;

/** Items in order, none equal to another. One comes or goes in O(log n) comparisons and the moves of one part. */
export class Ordered<T> {
  readonly #compare: (a: T, b: T) => number;
  /** In order, none empty. */
  readonly #parts: T[][] = [];

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  first(): T | undefined {
    return this.#parts[0]?.[0];
  }

  add(item: T): void {
    const at = Math.min(this.#partOf(item), this.#parts.length - 1);
    const part = this.#parts[at];
    if (part === undefined) {
      this.#parts.push([item]);
      return;
    }
    part.splice(this.#placeIn(part, item), 0, item);
    if (part.length > LARGEST) this.#parts.splice(at + 1, 0, part.splice(LARGEST / 2));
  }

  /** Takes out what is equal to `item`. */
  remove(item: T): void {
    const at = this.#partOf(item);
    const part = this.#parts[at];
    if (part === undefined) return;
    const place = this.#placeIn(part, item);
    const found = part[place];
    if (found === undefined || this.#compare(found, item) !== 0) return;
    part.splice(place, 1);
    if (part.length === 0) this.#parts.splice(at, 1);
  }

  /** All that are not before `item`; without one, all. */
  *from(item?: T): Generator<T> {
    const start = item === undefined ? 0 : this.#partOf(item);
    for (let at = start; at < this.#parts.length; at += 1) {
      const part = this.#parts[at] as T[]; // at < length
      const place = item === undefined || at > start ? 0 : this.#placeIn(part, item);
      for (let index = place; index < part.length; index += 1) yield part[index] as T; // index < length
    }
  }

  /** The first part whose last item is not before `item`. */
  #partOf(item: T): number {
    const parts = this.#parts;
    return lowest(parts.length, (at) => {
      const part = parts[at] as T[]; // at < length
      return this.#compare(part[part.length - 1] as T, item) >= 0; // no part is empty
    });
  }

  #placeIn(part: readonly T[], item: T): number {
    return lowest(part.length, (at) => this.#compare(part[at] as T, item) >= 0); // at < length
  }
}

/** The lowest index below `length` for which `holds`, and with it for all above; `length` where it does for none. */
function lowest(length: number, holds: (at: number) => boolean): number {
  let from = 0;
  let to = length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
