import type { Signature } from '../strategies/signature.ts';
import { signatureOf } from '../strategies/signature.ts';
import type { StoredRequest } from '../types/request.ts';

/** Dead letters that failed in the same way. */
export interface DeadLetterGroup extends Omit<Signature, 'id'> {
  /** For filters. The same in every process. */
  readonly signature: string;
  readonly count: number;
  /** Of these: their caller was given the answer. 0 unless the filter includes such. */
  readonly told: number;
  /** Of these: they were replayed. */
  readonly replayed: number;
  /** Epoch ms at which the first and the last of them ended. */
  readonly oldestAt: number;
  readonly newestAt: number;
  /** Some of them, the oldest first. */
  readonly sampleIds: readonly string[];
}

export interface DeadLetterGroups {
  /** The largest first. */
  readonly groups: readonly DeadLetterGroup[];
  /** What is in no group of these: smaller ones, and kinds beyond those that can be kept apart. */
  readonly other: { readonly count: number; readonly told: number };
  /** All of them together. */
  readonly count: number;
}

export interface GroupOptions {
  /** Groups to tell, at most 1,000. @default 50 */
  readonly limit?: number | undefined;
}

/** Kinds kept apart at once: what memory it takes does not grow with the number of dead letters. */
export const MAX_GROUPS = 1_000;
const SAMPLES = 5;

type Growing = { -readonly [K in keyof DeadLetterGroup]: DeadLetterGroup[K] } & { sampleIds: string[] };

/** Counts dead letters by what they failed of, in one pass and bounded memory. */
export class LetterGroups {
  readonly #groups = new Map<string, Growing>();
  #count = 0;
  #told = 0;

  add(request: StoredRequest): void {
    this.#count += 1;
    if (request.told) this.#told += 1;
    const { id: signature, ...rest } = signatureOf(request);
    let group = this.#groups.get(signature);
    if (group === undefined) {
      if (this.#groups.size >= MAX_GROUPS) return;
      const none = { count: 0, told: 0, replayed: 0, sampleIds: [] };
      group = { signature, ...rest, ...none, oldestAt: Number.POSITIVE_INFINITY, newestAt: Number.NEGATIVE_INFINITY };
      this.#groups.set(signature, group);
    }
    const endedAt = request.endedAt ?? request.acceptedAt; // dead: it has ended
    group.count += 1;
    if (request.told) group.told += 1;
    if (request.replayedAs !== null) group.replayed += 1;
    group.oldestAt = Math.min(group.oldestAt, endedAt);
    group.newestAt = Math.max(group.newestAt, endedAt);
    if (group.sampleIds.length < SAMPLES) group.sampleIds.push(request.id);
  }

  read(limit: number): DeadLetterGroups {
    // Equal ones in the order they were met.
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count).slice(0, limit);
    const count = groups.reduce((sum, group) => sum + group.count, 0);
    const told = groups.reduce((sum, group) => sum + group.told, 0);
    return { groups, other: { count: this.#count - count, told: this.#told - told }, count: this.#count };
  }
}
