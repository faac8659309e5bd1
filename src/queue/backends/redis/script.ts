import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SPARE_FLOWS } from '../../types/flowRank.ts';
import { REASONS, REQUEST_STATES, TRANSITIONS } from '../../types/states.ts';
import { HARMLESS_EFFECTS } from '../claimLimits.ts';
import { reasonCode, stateCode } from '../codec.ts';
import { EFFECTS } from './common.ts';
import type { Source } from './pieces.ts';
import { Pieces, usesOf } from './pieces.ts';

/** What verbs share, in the order in which it sees each other. */
const SHARED = [
  'wire',
  'answers',
  'places',
  'rows',
  'records',
  'writes',
  'moves',
  'lanes',
  'flows',
  'bindings',
  'cascade',
  'replace',
] as const;

/** Verbs by the file they are in: each of these files has a script of its own. */
const VERBS = {
  workers: ['live', 'back', 'leave', 'begin', 'touch', 'workers', 'look'],
  shared: ['sharedGet', 'sharedSet', 'sharedDelete', 'sharedList', 'acquire', 'release', 'take'],
  history: ['append', 'history', 'trim'],
  schedules: ['scheduleSet', 'scheduleGet', 'scheduleList', 'scheduleDelete', 'scheduleDue', 'scheduleNext'],
  enqueue: ['enqueue'],
  claim: ['claim'],
  leases: ['claimUnknown', 'renew'],
  settle: ['settle', 'amend'],
  recover: ['recover', 'expire'],
  find: ['get', 'byKey', 'find', 'count', 'nextDueAt', 'bindings'],
  purge: ['purge'],
  recall: ['recall'],
} as const satisfies Record<string, readonly string[]>;

type Part = keyof typeof VERBS;

export type Verb = (typeof VERBS)[Part][number];

/** As many as Lua's stack takes with room to spare. */
const MOST_ARGUMENTS = 4000;

/** Calls of a handle that may be unanswered at once: so many answers are kept for it. */
export const MOST_UNANSWERED = 64;

/** What the keys are called behind `<prefix>:{<name>}:`. */
const KEY_NAMES = [
  'totals',
  'places',
  'rooms',
  'ids',
  'records',
  'rows',
  'ready',
  'due',
  'doubt',
  'expiry',
  'leases',
  'lanes',
  'waiting',
  'ranks',
  'keyed',
  'alike',
  'held',
  'bound',
  'after',
  'before',
  'well',
  'dead',
  'blocks',
  'sizes',
  'bindings',
  'workers',
  'answers',
  'values',
  'names',
  'lapses',
  'semaphores',
  'buckets',
  'entries',
  'streams',
  'ages',
  'schedules',
  'titles',
  'agenda',
  'clocks',
  'flows',
  'turns',
] as const;

type KeyName = (typeof KEY_NAMES)[number];

/** Runs a few verbs. It has only what they need, as all of it is made anew in every call, and is given only the keys that they use. */
export interface Script {
  readonly text: string;
  /** By which a server knows it. */
  readonly sha: string;
  /** Names of its keys, in order. */
  readonly keys: readonly KeyName[];
}

/** All scripts, by the verbs that they run. */
export function loadScripts(): ReadonlyMap<Verb, Script> {
  const parts = Object.keys(VERBS) as Part[];
  const constants = codes();
  const sources = [MOVES, ...[...SHARED, ...parts].map((file) => ({ file, text: read(file, constants) }))];
  const pieces = new Pieces(sources);
  const run = read('run', constants);
  const scripts = new Map<Verb, Script>();
  for (const part of parts) {
    const script = scriptOf(part, pieces, run, constants);
    for (const verb of VERBS[part]) scripts.set(verb, script);
  }
  return scripts;
}

/** A file without its comments; the constants that it declares go to the others. */
function read(file: string, constants: Map<string, string>): string {
  const text = readFileSync(new URL(`./lua/${file}.lua`, import.meta.url), 'utf8');
  return text.replace(COMMENT, '').replace(NUMBERS, (_, names: string, values: string) => {
    const list = values.split(/,\s*/);
    for (const [index, name] of names.split(/,\s*/).entries()) constants.set(name, list[index] as string); // one each
    return '';
  });
}

const COMMENT = /(^|\s)--.*$/gm;
/** A declaration of numbers: `local ONE, TWO = 1, 2`. */
const NUMBERS = /^local ([A-Z][A-Z0-9_]*(?:,\s*[A-Z][A-Z0-9_]*)*) =\s*(-?\d+(?:,\s*-?\d+)*)$/gm;
const CONSTANT = /\b[A-Z][A-Z0-9_]*\b/g;

/** What only rare calls need is made when one of them asks for it (`q.need`). */
function scriptOf(part: Part, pieces: Pieces, run: string, constants: ReadonlyMap<string, string>): Script {
  const files = pieces.neededFor([...VERBS[part].map((verb) => `q.verbs.${verb}`), ...usesOf(run)]);
  const all = files.map(({ text }) => text).join('') + run;
  const body = files.map(({ file, text }) =>
    file !== part && all.includes(`q.need('${file}')`) ? `q.parts.${file} = function()\n${text}end\n` : text,
  );
  const words = new Set(all.match(CONSTANT));
  const keys = KEY_NAMES.filter((name) => words.has(name.toUpperCase()));
  const text = numbered(inlined(body.join('') + run, keys, constants));
  return { text, sha: createHash('sha1').update(text).digest('hex'), keys };
}

/** Puts numbers, and keys, in the place of their names: a function of Lua may use no more than sixty from around it. */
function inlined(text: string, keys: readonly KeyName[], constants: ReadonlyMap<string, string>): string {
  const values = new Map(constants);
  for (const [index, name] of keys.entries()) values.set(name.toUpperCase(), `KEYS[${index + 1}]`);
  return text.replace(CONSTANT, (name) => values.get(name) ?? name);
}

/**
 * Puts numbers in the place of the fields of `q`, the table of everything that is shared: with names it would grow, and be laid out anew,
 * eight times in every call of the script, which takes longer than most calls do otherwise.
 */
function numbered(text: string): string {
  const places = new Map<string, number>();
  const numberOf = (name: string): number => {
    const known = places.get(name);
    if (known !== undefined) return known;
    places.set(name, places.size + 1);
    return places.size;
  };
  const body = text
    .replace(/\bfunction q\.(\w+)\(/g, (_, name: string) => `q[${numberOf(name)}] = function(`)
    .replace(/\bq\.(\w+)/g, (_, name: string) => `q[${numberOf(name)}]`);
  return body.replace('local q = {}', `local q = { ${Array(places.size).fill('nil').join(', ')} }`);
}

/** Legal moves: bits of states, by state. */
const MOVES: Source = {
  file: 'states',
  text: `local MOVES = { ${REQUEST_STATES.map((state) => `[${stateCode(state)}] = ${TRANSITIONS[state].reduce(bit, 0)}`).join(', ')} }`,
};

/** Codes of states and reasons, as everywhere in stored records, and numbers that the client knows too. */
function codes(): Map<string, string> {
  const harmless = EFFECTS.reduce((bits, effect, code) => bits | (HARMLESS_EFFECTS.has(effect) ? 1 << code : 0), 0);
  const numbers: [name: string, value: number][] = [
    ...REQUEST_STATES.map((state): [string, number] => [constant('IS', state), stateCode(state)]),
    ...REASONS.map((reason): [string, number] => [constant('BECAUSE', reason), reasonCode(reason)]),
    ['SPARE_FLOWS', SPARE_FLOWS],
    ['MOST_ANSWERS', MOST_UNANSWERED],
    ['MOST_ARGUMENTS', MOST_ARGUMENTS],
    ['HARMLESS_EFFECTS', harmless],
  ];
  return new Map(numbers.map(([name, value]) => [name, `${value}`]));
}

function bit(bits: number, state: (typeof REQUEST_STATES)[number]): number {
  return bits | (1 << stateCode(state));
}

/** `notBefore` as `BECAUSE_NOT_BEFORE`. */
function constant(kind: string, word: string): string {
  return `${kind}_${word.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
}
