/** What a {@link Heap} holds: each node is in at most one heap at a time and knows its place there. */
export interface HeapNode {
  heapKey: number;
  /** Breaks ties of `heapKey`; unique within a heap. */
  heapTie: number;
  heapIndex: number;
}

/** A binary min-heap by (key, tie) whose nodes know their place, so that any of them leaves in O(log n). */
export class Heap<T extends HeapNode> {
  readonly #nodes: T[] = [];

  get size(): number {
    return this.#nodes.length;
  }

  top(): T | undefined {
    return this.#nodes[0];
  }

  /** The least key above `bound`, if any. Looks at the nodes up to `bound` and their children only. */
  keyAbove(bound: number): number | undefined {
    const nodes = this.#nodes;
    let least: number | undefined;
    const open = [0];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      const key = nodes[index]?.heapKey;
      if (key === undefined) continue;
      if (key <= bound) open.push(2 * index + 1, 2 * index + 2);
      else if (least === undefined || key < least) least = key;
    }
    return least;
  }

  push(node: T, key: number, tie: number): void {
    node.heapKey = key;
    node.heapTie = tie;
    this.#nodes.push(node);
    this.#raise(node, this.#nodes.length - 1);
  }

  remove(node: T): void {
    const nodes = this.#nodes;
    const index = node.heapIndex;
    const last = nodes.pop() as T; // the heap holds at least `node`
    node.heapIndex = -1;
    if (last === node) return;
    this.#settle(last, index);
  }

  /** Gives a node of this heap another key. */
  rekey(node: T, key: number): void {
    node.heapKey = key;
    this.#settle(node, node.heapIndex);
  }

  /** The nodes in no order, for checks. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#nodes[Symbol.iterator]();
  }

  #settle(node: T, index: number): void {
    const parent = this.#nodes[(index - 1) >> 1];
    if (index > 0 && parent !== undefined && isBefore(node, parent)) this.#raise(node, index);
    else this.#lower(node, index);
  }

  #raise(node: T, from: number): void {
    const nodes = this.#nodes;
    let index = from;
    while (index > 0) {
      const up = (index - 1) >> 1;
      const parent = nodes[up] as T; // up < index < length
      if (!isBefore(node, parent)) break;
      nodes[index] = parent;
      parent.heapIndex = index;
      index = up;
    }
    nodes[index] = node;
    node.heapIndex = index;
  }

  #lower(node: T, from: number): void {
    const nodes = this.#nodes;
    const size = nodes.length;
    let index = from;
    for (;;) {
      let down = 2 * index + 1;
      if (down >= size) break;
      const right = down + 1;
      if (right < size && isBefore(nodes[right] as T, nodes[down] as T)) down = right;
      const child = nodes[down] as T; // down < size
      if (!isBefore(child, node)) break;
      nodes[index] = child;
      child.heapIndex = index;
      index = down;
    }
    nodes[index] = node;
    node.heapIndex = index;
  }
}

/** True when `a` comes before `b`. */
export function isBefore(a: HeapNode, b: HeapNode): boolean {
  return a.heapKey < b.heapKey || (a.heapKey === b.heapKey && a.heapTie < b.heapTie);
}
