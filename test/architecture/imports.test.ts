import { describe, expect, it } from 'vitest';
import { importsOf } from './support/project.ts';
import { codeOnly } from './support/scan.ts';

const kinds = (source: string): string[] =>
  importsOf('src/a/b.ts', source, codeOnly(source)).map(({ kind, specifier, target }) =>
    [kind, specifier, target ?? ''].join(' ').trim(),
  );

describe('the imports of a file', () => {
  it.each([
    ["import { a } from './c.ts';", ['static ./c.ts src/a/c.ts']],
    ["import type { a } from '../c.ts';", ['type ../c.ts src/c.ts']],
    ["import { type a, type b } from 'c';", ['type c']],
    ["import {\n  a,\n  type b,\n} from 'c';", ['static c']],
    ["import 'c';", ['static c']],
    ["export { a } from './c.ts';", ['static ./c.ts src/a/c.ts']],
    ["export type { a } from './c.ts';", ['type ./c.ts src/a/c.ts']],
    ["const a = await import('./c.ts');", ['lazy ./c.ts src/a/c.ts']],
    ["const a = require('c/d.js');", ['require c/d.js']],
    ["const a = createRequire(import.meta.url)('c');", ['require c']],
    ["new Worker(new URL('./c.js', import.meta.url));", ['worker ./c.js src/a/c.js']],
    ["// import { a } from 'c';\nconst s = \"import('d')\";\nexport const from = 'e';", []],
  ])('are seen in %j', (source, expected) => {
    expect(kinds(source)).toEqual(expected);
  });
});
