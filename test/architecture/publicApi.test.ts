import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SourceFile } from './support/project.ts';
import { ROOT, sourcesUnder } from './support/project.ts';

const ENTRIES: Readonly<Record<string, string>> = {
  holdfast: 'src/index.ts',
  'holdfast/testing': 'src/testing/index.ts',
  'holdfast/conformance': 'src/testing/conformance/index.ts',
  'holdfast/axios': 'src/client/adapters/axios.ts',
  'holdfast/azure': 'src/client/adapters/azure.ts',
  'holdfast/graph': 'src/client/adapters/graph.ts',
  'holdfast/smithy': 'src/client/adapters/smithy.ts',
  'holdfast/undici': 'src/client/adapters/undici.ts',
};

/** `type Name` or `value name` for each name an entry exports. */
function exportsOf(file: SourceFile): string[] {
  const lists = [...file.code.matchAll(/^export\s+(type\s+)?\{([^}]*)\}/gm)].flatMap(([, onlyTypes, names]) =>
    (names as string)
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
      .map((name) => {
        const isType = onlyTypes !== undefined || name.startsWith('type ');
        const exported = name.replace(/^type\s+/, '').split(/\s+as\s+/);
        return `${isType ? 'type' : 'value'} ${exported.at(-1)}`;
      }),
  );
  const declared = file.code.matchAll(
    /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(const|function\*?|class|interface|type)\s+(\w+)/gm,
  );
  const names = [...declared].map(
    ([, keyword, name]) => `${keyword === 'interface' || keyword === 'type' ? 'type' : 'value'} ${name}`,
  );
  return [...new Set([...lists, ...names])].sort();
}

describe.skipIf(!existsSync(`${ROOT}src/index.ts`))('the public API', () => {
  const files = sourcesUnder('src').filter(({ path }) => Object.values(ENTRIES).includes(path));

  it('has a file for every entry', () => {
    expect(files.map(({ path }) => path).sort()).toEqual(Object.values(ENTRIES).sort());
  });

  it('exports names one by one', () => {
    expect(files.filter(({ code }) => /^export\s*\*/m.test(code)).map(({ path }) => path)).toEqual([]);
  });

  // After a change that is meant: `npx vitest run test/architecture/publicApi.test.ts --update`.
  it('is the one in exports.txt', async () => {
    const sections = Object.entries(ENTRIES).map(([name, path]) => {
      const file = files.find((candidate) => candidate.path === path);
      return [`# ${name}`, ...(file === undefined ? [] : exportsOf(file))].join('\n');
    });
    await expect(`${sections.join('\n\n')}\n`).toMatchFileSnapshot('./exports.txt');
  });
});
