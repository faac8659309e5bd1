import { describe, expect, it } from 'vitest';
import { packageOf, sourcesUnder } from './support/project.ts';

const FOLDER = 'src/client/adapters/';
const LONGEST_ADAPTER = 100;

/** Of the project itself, adapters know what is beside them; these two let them tell errors apart and keep time. */
const KNOWN_VALUES: readonly string[] = ['src/errors.ts', 'src/system/clock.ts'];

const files = sourcesUnder(FOLDER);

describe('the adapters of SDKs', () => {
  it(`have files of less than ${LONGEST_ADAPTER} lines`, () => {
    const long = files
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines >= LONGEST_ADAPTER);
    expect(long).toEqual([]);
  });

  it('import no package, not even its types', () => {
    const packages = files.flatMap(({ path, imports }) =>
      imports.flatMap(({ specifier }) => (packageOf(specifier) === undefined ? [] : [`${path} ${specifier}`])),
    );
    expect(packages).toEqual([]);
  });

  it('know the queue by its types alone', () => {
    const values = files.flatMap(({ path, imports }) =>
      imports
        .filter(({ kind, target }) => kind !== 'type' && target !== undefined && !target.startsWith(FOLDER))
        .filter(({ target }) => !KNOWN_VALUES.includes(target ?? ''))
        .map(({ specifier }) => `${path} ${specifier}`),
    );
    expect(values).toEqual([]);
  });

  it('are imported by nobody', () => {
    const users = sourcesUnder('src').filter(
      ({ path, imports }) => !path.startsWith(FOLDER) && imports.some(({ target }) => target?.startsWith(FOLDER)),
    );
    expect(users.map(({ path }) => path)).toEqual([]);
  });
});
