// Writes docs/options.md from the interfaces of the options and their comments. Run through `npm run docs`.
import { readFileSync, writeFileSync } from 'node:fs';

/** Where the options are declared. */
const OPTION_FILES = [
  'src/queue/core/config/options.ts',
  'src/queue/core/config/gateOptions.ts',
  'src/queue/types/redis.ts',
];
/** Where else the values that options name are declared. */
const VALUE_FILES = [...OPTION_FILES, 'src/queue/strategies/rank.ts', 'src/queue/types/fetch.ts'];

/**
 * @typedef {{ name: string, type: string, isRequired: boolean, meaning: string, fallback: string }} Option
 * @typedef {{ name: string, meaning: string, options: Option[] }} OptionGroup
 */

/** `QueueOptions` first, then the others as they are declared. @returns {OptionGroup[]} */
export function optionGroupsOf(/** @type {string} */ source) {
  const groups = [
    ...source.matchAll(
      /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?export interface (\w+Options)(?:\s+extends\s[^{]+)? \{\n([\s\S]*?)\n\}/g,
    ),
  ].map(([, comment = '', name, members]) => ({ name, meaning: prose(comment), options: membersOf(members) }));
  return groups.sort((a, b) => Number(b.name === 'QueueOptions') - Number(a.name === 'QueueOptions'));
}

/** @returns {Option[]} */
function membersOf(/** @type {string} */ members) {
  const pattern =
    / {2}(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2})?readonly (\w+)(\?)?: ([\s\S]*?);(?=\n {2}(?:\/\*\*|readonly )|$)/g;
  return [...members.matchAll(pattern)].map(([, comment = '', name, optional, type]) => {
    const [meaning, fallback = ''] = comment.split('@default');
    return {
      name,
      type: prose(type)
        .replace(/ \| undefined$/, '')
        .replace(/^\((.*)\)$/, '$1'),
      isRequired: optional === undefined,
      meaning: prose(meaning),
      fallback: prose(fallback),
    };
  });
}

/** Comment text on one line. */
function prose(/** @type {string} */ text) {
  return text
    .replace(/^ *\* ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Types that are a choice of strings, by name. @returns {Map<string, string>} */
function choicesOf(/** @type {string} */ source) {
  const found = source.matchAll(/export type (\w+) =((?:\s*\|?\s*'\w+')+);/g);
  return new Map([...found].map(([, name, choice]) => [name, prose(choice).replace(/^\| /, '')]));
}

/** @returns {string} */
function renderOptionsPage(/** @type {OptionGroup[]} */ groups, /** @type {Map<string, string>} */ choices) {
  const cell = (/** @type {string} */ text) => text.replaceAll('|', '\\|');
  const sections = groups.flatMap(({ name, meaning, options }) => [
    `## ${name}`,
    '',
    ...(meaning === '' ? [] : [meaning, '']),
    '| option | type | default | meaning |',
    '|---|---|---|---|',
    ...options.map(
      (option) =>
        `| \`${option.name}\` | \`${cell(choices.get(option.type) ?? option.type)}\` | ${option.isRequired ? 'required' : cell(option.fallback)} | ${cell(option.meaning)} |`,
    ),
    '',
  ]);
  return [
    '# Options',
    '',
    'Every option of a queue. `undefined` means absent, unknown names are errors that suggest the nearest one, and all problems',
    'of a configuration are reported at once.',
    '',
    ...sections,
    `Written by \`npm run docs\` from ${OPTION_FILES.map((file) => `\`${file}\``).join(', ')}.`,
    '',
  ].join('\n');
}

/** The page as it should be, from the source under a folder. @returns {string} */
export function optionsPage(/** @type {URL} */ root) {
  const read = (/** @type {string} */ file) => readFileSync(new URL(file, root), 'utf8');
  const choices = new Map(VALUE_FILES.flatMap((file) => [...choicesOf(read(file))]));
  return renderOptionsPage(
    OPTION_FILES.flatMap((file) => optionGroupsOf(read(file))),
    choices,
  );
}

if (process.argv[1] === import.meta.filename) {
  const root = new URL('../', import.meta.url);
  writeFileSync(new URL('docs/options.md', root), optionsPage(root));
}
