import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Beside the code, not under the system's temporary folder: that may be kept in memory, where a sync costs nothing. */
const ROOT = process.env.BENCH_DATA ?? fileURLToPath(new URL('../data/', import.meta.url));

/** A folder of its own for one run; the caller removes it. */
export function makeFolder() {
  mkdirSync(ROOT, { recursive: true });
  return mkdtempSync(join(ROOT, 'run-'));
}

export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
}

/** Runs with a folder that is gone afterwards. */
export async function inFolder(work) {
  const folder = makeFolder();
  try {
    return await work(folder);
  } finally {
    removeFolder(folder);
  }
}
