// Brings every `.lua` file of `src` to the same place in `dist`, where the compiled code looks for it: the compiler
// leaves them behind. A file is replaced as a whole, and only if it differs: another process may be reading it.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../src', import.meta.url));
const target = fileURLToPath(new URL('../dist', import.meta.url));

/** @param {string} path */
function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

for (const path of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
  if (!path.endsWith('.lua')) continue;
  const text = readFileSync(join(source, path), 'utf8');
  const copy = join(target, path);
  if (textOf(copy) === text) continue;
  mkdirSync(dirname(copy), { recursive: true });
  const draft = `${copy}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, copy);
}
