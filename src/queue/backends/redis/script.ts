import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { REASONS, REQUEST_STATES, TRANSITIONS } from '../../types/states.ts';
import { HARMLESS_EFFECTS } from '../claimLimits.ts';
import { reasonCode, stateCode } from '../codec.ts';
import { EFFECTS } from './common.ts';

/** What every verb uses, in the order in which they see each other. */
const CORE = ['wire', 'places', 'rows', 'writes', 'moves'] as const;

/** Verbs by the part of the script they are in. Only the part of the verb that is asked for is made for a call, and what it needs of those without verbs. */
const PARTS = {
  enqueue: ['enqueue'],
  claim: ['claim', 'claimUnknown', 'renew'],
  settle: ['settle', 'amend'],
  workers: ['live', 'back', 'leave', 'begin', 'touch', 'workers', 'look'],
  recover: ['recover', 'expire'],
  find: ['get', 'byKey', 'find', 'count', 'nextDueAt', 'bindings'],
  shared: ['sharedGet', 'sharedSet', 'sharedDelete', 'sharedList', 'acquire', 'release', 'take'],
  history: ['append', 'history', 'trim'],
  schedules: ['scheduleSet', 'scheduleGet', 'scheduleList', 'scheduleDelete', 'scheduleDue', 'scheduleNext'],
  purge: ['purge'],
  cascade: [],
  bindings: [],
  replace: [],
  run: ['recall'],
} as const satisfies Record<string, readonly string[]>;

export type Verb = (typeof PARTS)[keyof typeof PARTS][number];

const PART_OF = new Map<string, string>(
  Object.entries(PARTS).flatMap(([part, verbs]) => verbs.map((verb) => [verb, part] as const)),
);

/** The part of the script that has a verb. */
export function partOf(verb: Verb): string {
  return PART_OF.get(verb) as string; // every verb is in a part
}

/** As many as Lua's stack takes with room to spare. */
const MOST_ARGUMENTS = 4000;

/** Calls of a handle that may be unanswered at once: so many answers are kept for it. */
export const MOST_UNANSWERED = 64;

/** What the keys are called behind `<prefix>:{<name>}:`, in the order in which the script takes them. */
export const KEY_NAMES = [
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
] as const;

/** The one script of this backend: every verb is in it, so that a server that forgot it refuses all calls alike. */
export interface Script {
  readonly text: string;
  /** By which a server knows it. */
  readonly sha: string;
}

export function loadScript(): Script {
  const read = (part: string): string => readFileSync(new URL(`./lua/${part}.lua`, import.meta.url), 'utf8');
  const parts = Object.keys(PARTS).filter((part) => part !== 'run');
  const whole = [
    constants(),
    ...CORE.map(read),
    ...parts.map((part) => `q.parts.${part} = function()\n${read(part)}end\n`),
    read('run'),
  ].join('\n');
  const text = numbered(inlined(whole));
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** A declaration of numbers: `local ONE, TWO = 1, 2`. */
const NUMBERS = /^local ([A-Z][A-Z0-9_]*(?:,\s*[A-Z][A-Z0-9_]*)*) =\s*(-?\d+(?:,\s*-?\d+)*)$/gm;

/** Puts numbers, and keys, in the place of their names: a function of Lua may use no more than sixty from around it. */
function inlined(text: string): string {
  const numbers = new Map<string, string>();
  const rest = text.replace(NUMBERS, (_, names: string, values: string) => {
    const list = values.split(/,\s*/);
    for (const [index, name] of names.split(/,\s*/).entries()) numbers.set(name, list[index] as string); // one each
    return '';
  });
  for (const [index, name] of KEY_NAMES.entries()) numbers.set(name.toUpperCase(), `KEYS[${index + 1}]`);
  return rest.replace(/\b[A-Z][A-Z0-9_]*\b/g, (name) => numbers.get(name) ?? name);
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
  return body.replace('local q = {}', `local q = { ${Array(places.size).fill('false').join(', ')} }`);
}

/** Codes of states and reasons and the table of legal moves, as everywhere in stored records. */
function constants(): string {
  const moves = REQUEST_STATES.map((state) => `[${stateCode(state)}] = ${TRANSITIONS[state].reduce(bit, 0)}`);
  return [
    ...REQUEST_STATES.map((state) => `local ${constant('IS', state)} = ${stateCode(state)}`),
    ...REASONS.map((reason) => `local ${constant('BECAUSE', reason)} = ${reasonCode(reason)}`),
    `local MOST_ANSWERS = ${MOST_UNANSWERED}`,
    `local MOST_ARGUMENTS = ${MOST_ARGUMENTS}`,
    `local HARMLESS_EFFECTS = ${EFFECTS.reduce((bits, effect, code) => bits | (HARMLESS_EFFECTS.has(effect) ? 1 << code : 0), 0)}`,
    `local MOVES = { ${moves.join(', ')} }`,
    '',
  ].join('\n');
}

function bit(bits: number, state: (typeof REQUEST_STATES)[number]): number {
  return bits | (1 << stateCode(state));
}

/** `notBefore` as `BECAUSE_NOT_BEFORE`. */
function constant(kind: string, word: string): string {
  return `${kind}_${word.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
}
