import type { HoldfastError } from '../../errors.ts';
import { holdfastError } from '../../errors.ts';
import type { Admission, Admitted } from './admit.ts';
import type { Submission } from './submission.ts';

/** Calls that are accepted together or not at all. */
export interface Batch {
  /** One of them was refused, and with it all. */
  isRefused: boolean;
}

/** A call between admission and the answer of the store. */
export interface Entry {
  readonly submission: Submission;
  readonly admission: Admission;
  admitted: Admitted | undefined;
  /** What it waits for was looked up again. */
  isRenamed: boolean;
  /** Bindings that were made when it was last looked what it refers to. */
  since: number;
  /** Entries of one atomic batch share it. */
  readonly batch: Batch | undefined;
  /** Set where the load is too high for a new request: it may join one that is there, or else this is why it is refused. */
  shedWith?: HoldfastError | undefined;
}

/** Where the entries end that go to the store in one step with that at `start`. */
export function endOfStep(entries: readonly Entry[], start: number): number {
  const { batch, shedWith } = entries[start] as Entry; // start < length
  const isShed = shedWith !== undefined;
  let end = start + 1;
  for (; end < entries.length; end += 1) {
    const next = entries[end] as Entry; // end < length
    if (next.batch !== batch || (next.shedWith !== undefined) !== isShed) break;
  }
  return end;
}

/** What its caller is told: that it did not fit is not why, where nothing new was to be stored of it. */
export function reasonOf({ shedWith }: Entry, error: unknown): unknown {
  return shedWith !== undefined && holdfastError(error, 'QUEUE_FULL') !== undefined ? shedWith : error;
}
