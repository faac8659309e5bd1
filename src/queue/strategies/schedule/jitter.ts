import { createHash } from 'node:crypto';

const RANGE = 2 ** 32;

/**
 * By how many ms the firing for a due time is put off, from 0 to `jitterMs`: any of them as likely, and the same whoever works it out who
 * has the salt.
 */
export function jitterOf(jitterMs: number, salt: string, dueAt: number): number {
  if (!(jitterMs > 0)) return 0;
  const drawn = createHash('sha256').update(`${salt} ${dueAt}`).digest().readUInt32BE(0);
  return Math.floor((drawn / RANGE) * (jitterMs + 1));
}
