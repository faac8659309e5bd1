import type { Reference } from '../types/request.ts';

/** Calls in admission do not outlast that many bindings. */
const MOST = 10_000;

/**
 * Local ids that are being given their server ids. A call that looked for one before, and is stored after, would stand in a lane that later calls,
 * which find the server id, do not know: whoever looked too early looks again.
 */
export class FreshBindings {
  readonly #moments = new Map<string, number>();
  #now = 0;

  /** Rises with every binding. */
  get now(): number {
    return this.#now;
  }

  /** They are given to the store: what is asked of it from now on finds them. */
  note(localIds: readonly string[]): void {
    this.#now += 1;
    for (const localId of localIds) {
      this.#moments.delete(localId);
      this.#moments.set(localId, this.#now);
    }
    for (const oldest of this.#moments.keys()) {
      if (this.#moments.size <= MOST) break;
      this.#moments.delete(oldest);
    }
  }

  /** Whether one of them was given its server id after `since`. */
  isLateFor(refs: readonly Reference[], since: number): boolean {
    if (this.#moments.size === 0) return false;
    return refs.some(({ localId }) => (this.#moments.get(localId) ?? 0) > since);
  }
}
