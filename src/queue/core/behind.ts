/** Under which our own fetch functions and dispatchers keep what they stand before, so that none is ever put before another. */
const BEHIND = Symbol.for('holdfast.behind');

/** Remembers what `front` stands before. */
export function standBefore<T extends object>(front: T, back: object): T {
  return Object.defineProperty(front, BEHIND, { value: behind(back) });
}

/** What stands behind: the thing itself where it is not one of ours. */
export function behind<T extends object>(front: T): T {
  return ((front as Record<symbol, unknown>)[BEHIND] as T | undefined) ?? front;
}
