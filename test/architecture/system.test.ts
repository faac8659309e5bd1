import { describe, expect, it } from 'vitest';
import type { SourceFile } from './support/project.ts';
import { placesWhere, sourcesUnder } from './support/project.ts';

const src = sourcesUnder('src');

/** Global names and modules are spelled as strings here, so that this file passes its own check. */
function anyOf(...patterns: readonly string[]): RegExp {
  return new RegExp(patterns.join('|'));
}

const TIMERS = ['\\bsetTimeout\\b', '\\bsetInterval\\b', '\\bAbortSignal\\.timeout\\b'];
const CLOCKS = ['\\bDate\\.now\\b', '\\bnew Date\\(\\s*\\)', '\\bperformance\\s*\\.', '\\bprocess\\.hrtime\\b'];
const CHANCE = ['\\bMath\\.random\\b', '\\brandomUUID\\b'];

function importersOf(files: readonly SourceFile[], modules: readonly string[]): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter(({ specifier }) => modules.includes(specifier))
      .map(({ line, specifier }) => `${file.path}:${line} ${specifier}`),
  );
}

const TIMER_MODULES = ['node:timers', 'node:timers/promises', 'timers', 'timers/promises', 'node:perf_hooks'];

describe('the source', () => {
  const elsewhere = src.filter(({ path }) => !/^src\/system\/(clock|random|ids|gauges)\.ts$/.test(path));

  it('takes time, chance and ids only from src/system', () => {
    expect(placesWhere(elsewhere, anyOf(...TIMERS, ...CLOCKS, ...CHANCE))).toEqual([]);
    expect(importersOf(elsewhere, TIMER_MODULES)).toEqual([]);
  });

  it('prints, reads the environment and ends the process only in the command line', () => {
    const library = src.filter(({ path }) => !path.startsWith('src/cli/'));
    expect(placesWhere(library, /\bconsole\s*\.|\bprocess\.(env|exit|stdout|stderr|argv)\b/)).toEqual([]);
  });

  it('listens to the process only where the caller asks for it by name', () => {
    const others = src.filter(({ path }) => !path.startsWith('src/cli/') && !path.endsWith('/closeOnSignals.ts'));
    expect(placesWhere(others, /\bprocess\.(on|once|addListener|prependListener)\b/)).toEqual([]);
  });

  it('does not import the module whose import loads the fetch of newer Nodes', () => {
    const loading = src.map((file) => ({ ...file, imports: file.imports.filter(({ kind }) => kind !== 'type') }));
    expect(importersOf(loading, ['node:http', 'http'])).toEqual([]);
  });

  it('keeps no variable at module level', () => {
    expect(placesWhere(src, /^(export )?(let|var)\s/m)).toEqual([]);
  });

  it('leaves no note for later', () => {
    const marks = new RegExp(['TO', 'DO|FIX', 'ME|XX', 'X\\b'].join(''));
    expect(src.filter(({ text }) => marks.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

describe('the tests', () => {
  const tests = sourcesUnder('test', ['.ts', '.mts', '.mjs']).filter(
    ({ path }) => !/^test\/(chaos|acceptance)\//.test(path),
  );

  it('do not sleep', () => {
    expect(placesWhere(tests, anyOf('\\bsetTimeout\\b', '\\bsetInterval\\b', '\\bAtomics\\.wait\\('))).toEqual([]);
    expect(importersOf(tests, TIMER_MODULES.slice(0, 4))).toEqual([]);
  });

  it('do not replace modules of the project', () => {
    expect(placesWhere(tests, anyOf('\\bvi\\.(mock|doMock|hoisted|stubGlobal)\\b'))).toEqual([]);
  });
});
