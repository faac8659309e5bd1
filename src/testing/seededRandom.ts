import type { Random } from '../system/random.ts';

/**
 * Chance that repeats itself: the same seed gives the same numbers and bytes in the same order. The generator is
 * mulberry32, seeded through FNV-1a; it is fast and even enough for tests, and guessable, so it is for tests only.
 */
export function seededRandom(seed: number | string): Random {
  let state = hash(String(seed));

  function next32(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  return {
    number: () => ((next32() >>> 5) * 2 ** 26 + (next32() >>> 6)) / 2 ** 53,
    bytes: (size: number) => Uint8Array.from({ length: size }, () => next32() & 0xff),
  };
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
