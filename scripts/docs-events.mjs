// Writes docs/events.md from the map of events and its comments. Run through `npm run docs`.
import { readFileSync, writeFileSync } from 'node:fs';

const EVENTS_FILE = 'src/queue/types/events.ts';

/** @typedef {{ name: string, meaning: string, fields: string[] }} QueueEvent */

/** @returns {QueueEvent[]} */
export function eventsOf(/** @type {string} */ source) {
  const start = source.indexOf('export interface QueueEventMap {');
  const map = source.slice(start, source.indexOf('\n}', start) + 2);
  const found = map.matchAll(
    /(?: {2}\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)? {2}'([\w:]+)': (\w+)(?: & \{([\s\S]*?)\})?;(?=\n)/g,
  );
  return [...found].map(([, comment = '', name, base, own = '']) => ({
    name,
    meaning: comment
      .replace(/^ *\* ?/gm, '')
      .replace(/\s+/g, ' ')
      .trim(),
    fields: [...fieldsOfBase(source, base), ...fieldsIn(own)],
  }));
}

/** What it has beside `at` and `queue`. @returns {string[]} */
function fieldsOfBase(/** @type {string} */ source, /** @type {string} */ base) {
  if (base === 'Base') return [];
  const [, members = ''] = source.match(new RegExp(`interface ${base} extends Base \\{([\\s\\S]*?)\\n\\}`)) ?? [];
  return fieldsIn(members);
}

/** @returns {string[]} */
function fieldsIn(/** @type {string} */ members) {
  return [...members.matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name);
}

/** The page as it should be, from the source under a folder. @returns {string} */
export function eventsPage(/** @type {URL} */ root) {
  const events = eventsOf(readFileSync(new URL(EVENTS_FILE, root), 'utf8'));
  const row = (/** @type {QueueEvent} */ { name, meaning, fields }) =>
    `| \`${name}\` | ${meaning.replaceAll('|', '\\|')} | ${fields.map((field) => `\`${field}\``).join(', ')} |`;
  return [
    '# Events',
    '',
    '`queue.on(name, listener)` calls `listener` with one frozen, JSON-safe object and returns what ends that. Each has `at` (epoch ms, once the fact',
    'was durable) and `queue` (its name), and the fields named here. Those of one request come in order. A listener that throws, or whose promise',
    'rejects, is logged and reaches nothing; it runs on your event loop, so let it return soon. Events tell what happens in this process, while it',
    'lives: to miss no end of a request, across restarts and processes, use `queue.subscribe(filter, handler, { durable })`.',
    '',
    '```ts fragment',
    "const undo = queue.on('request:settled', ({ requestId, state, reason }) => console.log(requestId, state, reason));",
    'undo();',
    '```',
    '',
    '| event | when | fields |',
    '|---|---|---|',
    ...events.map(row),
    '',
    `Written by \`npm run docs\` from \`${EVENTS_FILE}\`.`,
    '',
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  const root = new URL('../', import.meta.url);
  writeFileSync(new URL('docs/events.md', root), eventsPage(root));
}
