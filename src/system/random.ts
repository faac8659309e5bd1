import { randomBytes } from 'node:crypto';

/** The only source of chance. */
export interface Random {
  /** In [0, 1). */
  number(): number;
  /** Unguessable bytes. */
  bytes(size: number): Uint8Array;
}

export const systemRandom: Random = Object.freeze({
  number: () => Math.random(),
  bytes: (size: number) => randomBytes(size),
});
