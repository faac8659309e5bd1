import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SampleApi } from './support/sampleApi.ts';
import { startSampleApi } from './support/sampleApi.ts';
import { snippetsOf } from './support/snippets.ts';
import { Workshop } from './support/workshop.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const pages = [
  ...['README.md', 'ARCHITECTURE.md'].filter((page) => existsSync(ROOT + page)),
  ...readdirSync(`${ROOT}docs`, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path}`)
    .sort(),
];

const snippets = pages.flatMap((page) => snippetsOf(page, readFileSync(ROOT + page, 'utf8')));

describe('a snippet of the documentation', () => {
  let api: SampleApi;
  let workshop: Workshop;

  beforeAll(async () => {
    api = await startSampleApi();
    workshop = await Workshop.open(snippets, api.origin);
  });

  afterAll(async () => {
    await workshop?.close();
    await api?.close();
  });

  for (const [index, { page, line, language, isFragment }] of snippets.entries()) {
    const what = isFragment ? 'is correct' : 'is correct and runs to its end';
    it(`at ${page}:${line} ${what}`, async () => {
      if (language === 'ts') expect(workshop.typeErrors(index)).toEqual([]);
      const ended = isFragment ? language === 'js' && (await workshop.parse(index)) : await workshop.execute(index);
      if (ended !== false) expect(ended, ended.output).toMatchObject({ code: 0 });
    });
  }

  it('is found in every page by its fence', () => {
    const page = [
      'text',
      '```ts',
      'a',
      '```',
      '- item',
      '  ```js fragment',
      '  b',
      '    c',
      '  ```',
      '```sh',
      'd',
      '```',
    ];
    expect(snippetsOf('page.md', page.join('\n'))).toEqual([
      { page: 'page.md', line: 3, language: 'ts', isFragment: false, code: 'a' },
      { page: 'page.md', line: 7, language: 'js', isFragment: true, code: 'b\n  c' },
    ]);
  });

  it('cannot carry a mark that means nothing', () => {
    expect(() => snippetsOf('page.md', '```ts skip\na\n```')).toThrow('page.md:1: unknown mark "skip"');
  });
});

describe('the pages', () => {
  const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: Record<string, string> };

  it('name only scripts that exist', () => {
    const named = pages.flatMap((page) =>
      [...readFileSync(ROOT + page, 'utf8').matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name as string),
    );
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('link only to files that exist', () => {
    const broken = pages.flatMap((page) =>
      [...readFileSync(ROOT + page, 'utf8').matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
        .map(([, target]) => target as string)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(new URL(target, new URL(page, `file://${ROOT}`))))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });
});
