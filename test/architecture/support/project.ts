import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeOnly, lineAt } from './scan.ts';

/** The folder of package.json, with a slash at its end. */
export const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * How one file refers to another. `type` is erased, `lazy` is `import()`, `require` a call of what `createRequire` made,
 * `worker` is `new URL('…', import.meta.url)`.
 */
export type ImportKind = 'static' | 'type' | 'lazy' | 'require' | 'worker';

/** One reference from a file to a module. */
export interface Import {
  readonly kind: ImportKind;
  readonly specifier: string;
  /** Path from the root for relative specifiers, else undefined. */
  readonly target: string | undefined;
  readonly line: number;
}

/** A source file; paths are relative to the root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** {@link codeOnly} of the text. */
  readonly code: string;
  readonly imports: readonly Import[];
}

/** Paths of all files under a folder, sorted; none where there is no such folder. */
export function filesUnder(folder: string, extensions: readonly string[]): string[] {
  let entries: string[];
  try {
    entries = readdirSync(ROOT + folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .map((entry) => posix.join(folder, entry.replaceAll('\\', '/')))
    .filter((path) => !path.includes('node_modules/') && extensions.some((extension) => path.endsWith(extension)))
    .sort();
}

/** Reads and scans every source file under a folder. */
export function sourcesUnder(folder: string, extensions: readonly string[] = ['.ts']): SourceFile[] {
  return filesUnder(folder, extensions).map((path) => {
    const text = readFileSync(ROOT + path, 'utf8');
    const code = codeOnly(text);
    return { path, text, code, imports: importsOf(path, text, code) };
  });
}

const QUOTED = `(['"])[^'"]*\\1`;
const STATEMENT = new RegExp(`^(?:import|export)\\s(?:[^;'"]*?\\sfrom\\s*)?(?=${QUOTED})`, 'gm');
const CALL = new RegExp(`\\bimport\\(\\s*(?=${QUOTED})`, 'g');
const REQUIRE = new RegExp(`\\b(?:require|createRequire\\(import\\.meta\\.url\\))\\(\\s*(?=${QUOTED})`, 'g');
const URL_CALL = new RegExp(`\\bnew URL\\(\\s*(?=${QUOTED}\\s*,\\s*import\\.meta\\.url)`, 'g');

/** Every reference in a source text, in the order of their kinds. */
export function importsOf(path: string, text: string, code: string): Import[] {
  const found: Import[] = [];
  const collect = (pattern: RegExp, kindOf: (statement: string) => ImportKind): void => {
    for (const match of code.matchAll(pattern)) {
      const start = match.index + match[0].length + 1;
      const specifier = text.slice(start, code.indexOf(code[start - 1] as string, start));
      const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined;
      found.push({ kind: kindOf(match[0]), specifier, target, line: lineAt(text, match.index) });
    }
  };
  collect(STATEMENT, (statement) => (isTypeOnly(statement) ? 'type' : 'static'));
  collect(CALL, () => 'lazy');
  collect(REQUIRE, () => 'require');
  collect(URL_CALL, () => 'worker');
  return found;
}

/** `import type …`, `export type …`, and lists in which every name says `type`. */
function isTypeOnly(statement: string): boolean {
  if (/^(import|export)\s+type\s/.test(statement)) return true;
  const names = /^(?:import|export)\s*\{([^}]*)\}/.exec(statement)?.[1];
  if (names === undefined) return false;
  const listed = names.split(',').map((name) => name.trim());
  return listed.filter((name) => name !== '').every((name) => name.startsWith('type '));
}

/** The package a bare specifier names; undefined for relative paths and for what Node brings. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || builtinModules.includes(specifier.replace(/^node:/, ''))) return undefined;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
}

/** `file:line` of every place where the code of the files matches. */
export function placesWhere(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap((file) =>
    [...file.code.matchAll(new RegExp(pattern, `${pattern.flags.replace('g', '')}g`))].map(
      (match) => `${file.path}:${lineAt(file.text, match.index)} ${match[0].trim()}`,
    ),
  );
}
