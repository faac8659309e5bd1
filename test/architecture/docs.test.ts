import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.ts';
import { EVENT_NAMES } from '../../src/queue/types/eventNames.ts';
import { filesUnder, ROOT } from './support/project.ts';

interface OptionGroup {
  readonly name: string;
  readonly options: readonly { readonly name: string; readonly meaning: string; readonly fallback: string }[];
}

interface ErrorsScript {
  renderErrorsPage(codes: typeof ERROR_CODES): string;
}

interface EventsScript {
  eventsPage(root: URL): string;
  eventsOf(source: string): readonly { readonly name: string; readonly meaning: string }[];
}

interface OptionsScript {
  optionsPage(root: URL): string;
  optionGroupsOf(source: string): OptionGroup[];
}

const script = async <T>(name: string): Promise<T> => (await import(`${ROOT}scripts/${name}`)) as T;
const CONFIG = `${ROOT}src/queue/core/config`;

describe('the documents', () => {
  it('were merged to their end, and have no section of one change twice', () => {
    const pages = ['README.md', 'CHANGELOG.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...filesUnder('docs', ['.md'])];
    const torn = pages.filter((page) => /^(?:<{7}|>{7}|\|{7}) /m.test(readFileSync(ROOT + page, 'utf8')));
    expect(torn).toEqual([]);
    const versions = readFileSync(`${ROOT}CHANGELOG.md`, 'utf8').split(/^## /m).slice(1);
    for (const version of versions) {
      const sections = version.match(/^### .*$/gm) ?? [];
      expect(sections).toEqual([...new Set(sections)]);
    }
  });
});

describe('a generated page', () => {
  it('of error codes equals the table of the source', async () => {
    const { renderErrorsPage } = await script<ErrorsScript>('docs-errors.mjs');
    expect(readFileSync(`${ROOT}docs/errors.md`, 'utf8')).toBe(renderErrorsPage(ERROR_CODES));
  });

  it('of events equals the map of the source, and says of each when it comes', async () => {
    const { eventsPage, eventsOf } = await script<EventsScript>('docs-events.mjs');
    expect(readFileSync(`${ROOT}docs/events.md`, 'utf8')).toBe(eventsPage(new URL(`file://${ROOT}`)));
    const events = eventsOf(readFileSync(`${ROOT}src/queue/types/events.ts`, 'utf8'));
    expect(events.map(({ name }) => name)).toEqual([...EVENT_NAMES]);
    expect(events.filter(({ meaning }) => meaning === '')).toEqual([]);
  });

  it.skipIf(!existsSync(`${ROOT}src/index.ts`))('of options equals the options of the source', async () => {
    const { optionsPage } = await script<OptionsScript>('docs-options.mjs');
    expect(readFileSync(`${ROOT}docs/options.md`, 'utf8')).toBe(optionsPage(new URL(`file://${ROOT}`)));
  });
});

describe.skipIf(!existsSync(`${CONFIG}/defaults.ts`))('the comment of an option', () => {
  it('says what it means', async () => {
    const { optionGroupsOf } = await script<OptionsScript>('docs-options.mjs');
    const files = [`${CONFIG}/options.ts`, `${CONFIG}/gateOptions.ts`, `${ROOT}src/queue/types/redis.ts`];
    const groups = files.flatMap((file) => optionGroupsOf(readFileSync(file, 'utf8')));
    const silent = groups.flatMap(({ name, options }) =>
      options.filter(({ meaning }) => meaning === '').map((option) => `${name}.${option.name}`),
    );
    expect(silent).toEqual([]);
  });

  const literal = (value: unknown): string =>
    typeof value === 'string' ? `'${value}'` : String(value).replace(/\B(?=(\d{3})+$)/g, '_');

  it.each([
    ['QueueOptions', 'DEFAULTS'],
    ['RetentionOptions', 'RETENTION_DEFAULTS'],
    ['RetryOptions', 'RETRY_DEFAULTS'],
    ['ZoneOptions', 'ZONE_DEFAULTS'],
  ])('in %s names the default in %s', async (group, table) => {
    const { optionGroupsOf } = await script<OptionsScript>('docs-options.mjs');
    const groups = optionGroupsOf(readFileSync(`${CONFIG}/options.ts`, 'utf8'));
    const { [table]: defaults } = (await import(`${CONFIG}/defaults.ts`)) as Record<string, Record<string, unknown>>;
    const options = groups.find(({ name }) => name === group)?.options ?? [];
    expect(options).not.toEqual([]);
    const wrong = options
      .filter(({ name }) => ['number', 'string', 'boolean'].includes(typeof defaults?.[name]))
      .filter(({ name, fallback }) => !`${fallback} `.startsWith(`${literal(defaults?.[name])} `))
      .map(({ name, fallback }) => `${name}: ${fallback}, is ${literal(defaults?.[name])}`);
    expect(wrong).toEqual([]);
  });
});
