import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { filesUnder, ROOT, sourcesUnder } from './support/project.ts';

const LONGEST_FILE = 400;

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly files: readonly string[];
}

const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as Manifest;

describe('the files', () => {
  it(`of src have at most ${LONGEST_FILE} lines`, () => {
    const long = sourcesUnder('src')
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > LONGEST_FILE);
    expect(long).toEqual([]);
  });

  it.skipIf(!existsSync(`${ROOT}src/index.ts`))('named by the exports of the package have a source', () => {
    const targets = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : [entry.types, entry.default],
    );
    const missing = targets
      .filter((target) => target.startsWith('./dist/'))
      .map((target) => target.replace('./dist/', 'src/').replace(/\.(d\.ts|js)$/, '.ts'))
      .filter((path) => !existsSync(ROOT + path));
    expect(missing).toEqual([]);
  });
});

describe('every backend', () => {
  const folder = `${ROOT}src/queue/backends`;
  const backends = existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
    : [];
  const suites = filesUnder('test', ['.test.ts']).filter((path) => path.toLowerCase().includes('conformance'));

  it('has a conformance test that names it', () => {
    const untested = backends.filter((name) => !suites.some((path) => path.toLowerCase().includes(name.toLowerCase())));
    expect(untested).toEqual([]);
  });
});
