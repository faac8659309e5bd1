import type { EnqueueBatch, EnqueueResult, RequestStore } from '../types/store.ts';
import type { Admitted } from './admit.ts';
import type { Entry } from './entry.ts';
import type { Shedding } from './shedding.ts';

const NOTHING_NEW = Object.freeze({ maxSize: 0, maxBytes: 0 });

/** Stands before the store where the queue sheds load: refuses new calls, and lets those through that add nothing. */
export class Sieve {
  readonly #shedding: Shedding;
  readonly #store: RequestStore;

  constructor(shedding: Shedding, store: RequestStore) {
    this.#shedding = shedding;
    this.#store = store;
  }

  /** Refuses what is not to be stored, and returns the rest. A batch is decided by its most important call. */
  sift(entries: readonly Entry[], refuse: (entry: Entry, error: unknown) => void): Entry[] {
    const kept: Entry[] = [];
    for (let start = 0; start < entries.length; ) {
      const { batch } = entries[start] as Entry; // start < length
      let end = start + 1;
      while (batch !== undefined && entries[end]?.batch === batch) end += 1;
      const together = entries.slice(start, end);
      start = end;
      if (this.#passes(together, refuse)) kept.push(...together);
    }
    return kept;
  }

  /** As that of the store; of what is shed nothing new is stored. */
  enqueue(batch: EnqueueBatch, isShed: boolean): Promise<EnqueueResult[]> {
    const terms = isShed ? { ...batch, limits: NOTHING_NEW } : batch;
    return this.#shedding.timed(() => this.#store.enqueue(terms));
  }

  #passes(entries: readonly Entry[], refuse: (entry: Entry, error: unknown) => void): boolean {
    const calls = entries.map(admittedOf);
    const isNew = calls.some((call) => !isKnown(call));
    const priority = Math.max(...calls.map(({ request }) => request.priority));
    const error = isNew ? this.#shedding.admits(priority) : undefined;
    // Only the store knows what is there to be joined.
    const passes = error === undefined || calls.every((call) => isKnown(call) || mayJoinStored(call));
    for (const entry of entries) {
      entry.shedWith = error;
      if (!passes) refuse(entry, error);
    }
    return passes;
  }
}

function admittedOf({ admitted }: Entry): Admitted {
  return admitted as Admitted; // what goes to the store was admitted
}

/** Accepted before, or in the place of what was. */
function isKnown({ request, repeats }: Admitted): boolean {
  return request.replayOf !== null || request.replaces !== undefined || repeats !== undefined;
}

function mayJoinStored({ request }: Admitted): boolean {
  return request.key !== null || request.join.rule !== 'none';
}
