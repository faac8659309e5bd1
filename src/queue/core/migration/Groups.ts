import type { StoredRequest } from '../../types/request.ts';
import type { WhyRefused } from './result.ts';

/** Why requests stay where they are. */
export interface Refusal {
  /** The request that cannot be moved. */
  readonly id: string;
  readonly why: WhyRefused | 'filter';
  /** Whether the caller knows of that one. */
  readonly isTold: boolean;
}

/**
 * Requests that go together or not at all: those of a lane, and those that wait for each other. If one stayed, another could
 * overtake it from the other store. Only groups of several, or of which one is refused, are remembered.
 */
export class Groups {
  readonly #parents = new Map<string, string>();
  readonly #refusals = new Map<string, Refusal>();

  /** The name of a request's group before others joined it. */
  static keyOf({ id, lane }: Pick<StoredRequest, 'id' | 'lane'>): string {
    return lane === null ? `id ${id}` : `lane ${lane}`;
  }

  get hasRefusals(): boolean {
    return this.#refusals.size > 0;
  }

  unite(a: string, b: string): void {
    const [first, second] = [this.#root(a), this.#root(b)];
    if (first === second) return;
    this.#parents.set(second, first);
    const refusal = this.#refusals.get(second);
    if (refusal === undefined) return;
    this.#refusals.delete(second);
    this.refuse(first, refusal);
  }

  /** The first refusal of a group stands for all. */
  refuse(key: string, refusal: Refusal): void {
    const root = this.#root(key);
    if (!this.#refusals.has(root)) this.#refusals.set(root, refusal);
  }

  refusalOf(key: string): Refusal | undefined {
    return this.#refusals.get(this.#root(key));
  }

  #root(key: string): string {
    let root = key;
    for (let next = this.#parents.get(root); next !== undefined; next = this.#parents.get(root)) root = next;
    for (let at = key; at !== root; ) {
      const next = this.#parents.get(at) as string; // on the way to the root
      this.#parents.set(at, root);
      at = next;
    }
    return root;
  }
}
