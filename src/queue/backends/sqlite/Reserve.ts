import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs';

const RESERVE_BYTES = 4 * 1024 * 1024;
const CHUNK = new Uint8Array(64 * 1024);

/**
 * Disk space kept back in a file beside the database. When the disk is full, it is given up so that what is under way can
 * still be settled; new requests are refused until there is room for it again.
 */
export class Reserve {
  readonly #path: string | null;
  #isKept = false;

  /** `databasePath` ':memory:' needs no reserve. */
  constructor(databasePath: string) {
    this.#path = databasePath === ':memory:' ? null : `${databasePath}-reserve`;
  }

  /** Sees to it that the reserve is there. Throws `ENOSPC` when the disk has no room for it, leaving no part of it. */
  keep(): void {
    if (this.#isKept || this.#path === null) return;
    const size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    if (size < RESERVE_BYTES) this.#write(this.#path);
    this.#isKept = true;
  }

  /** Gives the space back to the disk, also what another process kept; false when there was none to give. */
  release(): boolean {
    this.#isKept = false;
    if (this.#path === null || statSync(this.#path, { throwIfNoEntry: false }) === undefined) return false;
    rmSync(this.#path, { force: true });
    return true;
  }

  #write(path: string): void {
    const file = openSync(path, 'w');
    try {
      for (let written = 0; written < RESERVE_BYTES; ) written += writeSync(file, CHUNK);
      fsyncSync(file); // some file systems find out only now that there is no room
      closeSync(file);
    } catch (error) {
      closeSync(file);
      rmSync(path, { force: true });
      throw error;
    }
  }
}
