import type { OnFailure } from '../../types/request.ts';

/** Bits of `request.flags`. Never renumbered: they are stored. */
export const EPHEMERAL = 1;
export const HARMLESS = 2;
export const DURABLE = 4;
export const TOLD = 8;
/** The present lease is the first that may send: undone by a settlement that says `notSent`. */
export const FIRST_LEASE = 16;
/** Others wait, or waited, for it. */
export const HAS_WAITERS = 32;
/** It has rows in `wait`. */
export const HAS_PREDECESSORS = 64;
/** It has a row in `result`. */
export const HAS_RESULT = 128;
/** `progress.unresolved`, where indexes see it: it may have been applied, so no deadline ends it. */
export const UNRESOLVED = 256;
/** Two bits for `onFailure`: none of them where nothing was said. */
export const ON_FAILURE = 1536;
const CONTINUE = 512;
export const HALT = 1024;
export const CASCADE = 1536;

const WORDS: ReadonlyMap<number, OnFailure> = new Map([
  [CONTINUE, 'continue'],
  [HALT, 'halt'],
  [CASCADE, 'cascade'],
]);
const BITS = new Map<OnFailure | undefined, number>([...WORDS].map(([bits, word]) => [word, bits]));

export function onFailureBits(onFailure: OnFailure | undefined): number {
  return BITS.get(onFailure) ?? 0;
}

export function onFailureOf(flags: number): OnFailure | undefined {
  return WORDS.get(flags & ON_FAILURE);
}
