import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** The only source of identity. */
export interface Ids {
  /** A UUIDv7 (RFC 9562): ascending within one source, also when the clock steps back. */
  next(): string;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const POOL_BYTES = 8 * 256;

/**
 * UUIDv7 with the millisecond, a 12-bit counter within it (`rand_a`, method 1 of RFC 9562 section 6.2) and 62 random
 * bits. When the counter runs over or the clock steps back, the millisecond of the last id counts on.
 */
export function createIds(clock: Clock, random: Random): Ids {
  let lastMs = 0;
  let counter = 0;
  let prefix = '';
  let pool: Uint8Array = new Uint8Array(0);
  let hex = '';
  let used = 0;

  return {
    next(): string {
      const now = clock.now();
      if (now > lastMs) {
        lastMs = now;
        counter = 0;
        prefix = timestamp(lastMs);
      } else if (++counter > 0xfff) {
        lastMs += 1;
        counter = 0;
        prefix = timestamp(lastMs);
      }
      if (used + 8 > pool.length) {
        pool = random.bytes(POOL_BYTES);
        hex = Buffer.from(pool).toString('hex');
        used = 0;
      }
      const variant = HEX[((pool[used] as number) & 0x3f) | 0x80] as string; // in range: checked above
      const at = 2 * used;
      const version = HEX[0x70 | (counter >> 8)] as string; // 12 bits
      const id = `${prefix}-${version}${HEX[counter & 0xff]}-${variant}${hex.slice(at + 2, at + 4)}-${hex.slice(at + 4, at + 16)}`;
      used += 8;
      return id;
    },
  };
}

function timestamp(ms: number): string {
  const hex = Math.floor(ms).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
