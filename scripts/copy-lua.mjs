// Brings every `.lua` file of `src` to the same place in `dist`, where the compiled code looks for it: the compiler
// leaves them behind.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceFile } from './replaceFile.mjs';

const source = fileURLToPath(new URL('../src', import.meta.url));
const target = fileURLToPath(new URL('../dist', import.meta.url));

for (const path of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
  if (path.endsWith('.lua')) replaceFile(join(target, path), readFileSync(join(source, path), 'utf8'));
}
