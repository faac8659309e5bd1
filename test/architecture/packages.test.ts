import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageOf, ROOT, sourcesUnder } from './support/project.ts';

/** The one file through which each third-party package enters `src`, or the folder whose files are all adapters. */
const ADAPTERS: Readonly<Record<string, string>> = {
  'better-sqlite3': 'src/queue/backends/sqlite/betterSqlite3.ts',
  ioredis: 'src/queue/backends/redis/ioredis.ts',
  croner: 'src/queue/strategies/schedule/cron.ts',
  eventemitter3: 'src/queue/core/emitter.ts',
  'p-queue': 'src/queue/core/bulkhead.ts',
  undici: 'src/client/transport/undiciPool.ts',
  'xxhash-wasm': 'src/queue/strategies/xxhash.ts',
  zod: 'src/queue/core/config/',
};

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as Manifest;

const uses = sourcesUnder('src').flatMap((file) =>
  file.imports.flatMap(({ specifier, line, kind }) => {
    const name = packageOf(specifier);
    return name === undefined ? [] : [{ name, kind, path: file.path, place: `${file.path}:${line} ${specifier}` }];
  }),
);

describe('third-party packages', () => {
  it('enter through their adapter', () => {
    const strays = uses.filter(({ name, path }) => !path.startsWith(ADAPTERS[name] ?? 'nowhere'));
    expect(strays.map(({ place }) => place)).toEqual([]);
  });

  it('enter through one file each', () => {
    const files = new Map<string, Set<string>>();
    for (const { name, path } of uses) files.set(name, (files.get(name) ?? new Set()).add(path));
    const many = [...files].filter(([name, paths]) => paths.size > 1 && ADAPTERS[name]?.endsWith('/') !== true);
    expect(many.map(([name, paths]) => [name, ...paths])).toEqual([]);
  });

  it('are declared', () => {
    const declared = new Set(
      [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies ?? {}].flatMap(Object.keys),
    );
    expect(uses.filter(({ name }) => !declared.has(name)).map(({ place }) => place)).toEqual([]);
  });

  it('are loaded lazily where they are optional', () => {
    const eager = uses.filter(({ name, kind }) => name in manifest.optionalDependencies && kind === 'static');
    expect(eager.map(({ place }) => place)).toEqual([]);
  });
});
