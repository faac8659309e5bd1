import type { Effect, HeaderList, Intent, Json, NewRequest, RequestContent } from '../types/request.ts';
import { PRECONDITIONS } from './conditions.ts';
import { deepEqual } from './deepEqual.ts';
import { isConditional } from './effect.ts';
import { headerValue } from './headerValue.ts';
import { squashedBody } from './squashedBody.ts';

/** What is looked at of two changes of one thing. */
export type SquashSubject = Pick<NewRequest, 'content' | 'effect' | 'base' | 'intent'>;

/** What becomes of two changes. */
export type Squashed =
  | { readonly act: 'keepBoth' }
  /** One request does both. Its local ids stand where its content has them: `refs` and `after` are to be found anew. */
  | {
      readonly act: 'merge';
      readonly content: RequestContent;
      readonly effect: Effect;
      readonly base: Json;
      readonly intent: Intent | undefined;
    }
  /** What was to be made is to be removed: neither is sent. */
  | { readonly act: 'annihilate' }
  /** The newcomer is a mistake. */
  | { readonly act: 'refuse'; readonly why: 'exists' | 'deleted' };

type Kind = 'create' | 'update' | 'relative' | 'delete' | 'other';
type Cell = 'keepBoth' | 'exists' | 'deleted' | 'create' | 'update' | 'annihilate' | 'delete' | 'same' | 'recreate';

const NEVER: Readonly<Record<Kind, Cell>> = {
  create: 'keepBoth',
  update: 'keepBoth',
  relative: 'keepBoth',
  delete: 'keepBoth',
  other: 'keepBoth',
};

/**
 * By the kind of the one that is there and that of the newcomer, for two of the same thing of which nothing was sent:
 * `create` changes what is to be made, `update` makes one change of two, `delete` leaves the later and `same` the earlier delete,
 * `recreate` puts something new in the place of the old.
 */
export const SQUASH_TABLE: Readonly<Record<Kind, Readonly<Record<Kind, Cell>>>> = {
  create: { ...NEVER, create: 'exists', update: 'create', delete: 'annihilate' },
  update: { ...NEVER, create: 'exists', update: 'update', delete: 'delete' },
  relative: NEVER,
  delete: { ...NEVER, create: 'recreate', update: 'deleted', relative: 'deleted', delete: 'same' },
  other: NEVER,
};

const KEEP_BOTH: Squashed = Object.freeze({ act: 'keepBoth' });
const ANNIHILATE: Squashed = Object.freeze({ act: 'annihilate' });

/**
 * What two changes come to, where nothing of the first was sent and nobody refers to what it leaves. Both are kept unless one does
 * exactly what both do in a row, on servers that take a PUT for the whole as well as on those that take it for the fields it has; but for a
 * delete and a PUT that makes the thing anew, which becomes a replacement.
 * The earliest base and precondition are kept: what the server had when the first was made is what both stand on.
 */
export function squash(existing: SquashSubject, incoming: SquashSubject): Squashed {
  if (!isSameThing(existing, incoming)) return KEEP_BOTH;
  const cell = SQUASH_TABLE[kindOf(existing)][kindOf(incoming)];
  switch (cell) {
    case 'keepBoth':
      return KEEP_BOTH;
    case 'annihilate':
      return ANNIHILATE;
    case 'exists':
      return { act: 'refuse', why: cell };
    case 'deleted':
      // A PUT without precondition may just as well make it anew.
      return incoming.content.method === 'PUT' && !isConditional(incoming.content.headers)
        ? KEEP_BOTH
        : { act: 'refuse', why: cell };
    case 'create':
      return merged(withBody(existing, existing, incoming), existing);
    case 'update': {
      const survivor = isPatchOf(existing, incoming) ? existing : incoming;
      return merged(onEarliest(withBody(survivor, existing, incoming), existing, incoming), existing);
    }
    case 'delete':
      return merged(onEarliest(incoming, existing, incoming), existing);
    case 'same':
      return merged(existing, existing);
    case 'recreate':
      return recreated(existing, incoming);
    default:
      return cell satisfies never;
  }
}

function merged(survivor: SquashSubject | undefined, { base }: SquashSubject): Squashed {
  if (survivor === undefined) return KEEP_BOTH;
  const { content, effect, intent } = survivor;
  return { act: 'merge', content, effect, base, intent };
}

/** One of both, with the body of both; undefined where there is none, or where what is to be made would name itself. */
function withBody(
  survivor: SquashSubject,
  existing: SquashSubject,
  incoming: SquashSubject,
): SquashSubject | undefined {
  const localId = existing.intent?.localId;
  const body = squashedBody(existing.content, incoming.content);
  if (body === undefined || (localId !== undefined && body.includes(localId))) return undefined;
  return { ...survivor, content: { ...survivor.content, body } };
}

/** It was to be removed and made again: it is replaced, whatever version the delete was of. */
function recreated(existing: SquashSubject, incoming: SquashSubject): Squashed {
  if (incoming.content.method !== 'PUT') return KEEP_BOTH;
  const headers = incoming.content.headers.filter(([name]) => name !== 'if-none-match');
  const survivor: SquashSubject = { ...incoming, effect: 'absolute', content: { ...incoming.content, headers } };
  return merged(onEarliest(survivor, existing, survivor), existing);
}

/** With the precondition of the one that was there, if that has one. */
function onEarliest(
  survivor: SquashSubject | undefined,
  existing: SquashSubject,
  incoming: SquashSubject,
): SquashSubject | undefined {
  if (survivor === undefined) return undefined;
  const { headers: guards } = (isConditional(existing.content.headers) ? existing : incoming).content;
  const headers: HeaderList = [
    ...survivor.content.headers.filter(([name]) => !PRECONDITIONS.has(name)),
    ...guards.filter(([name]) => PRECONDITIONS.has(name)),
  ];
  return { ...survivor, content: { ...survivor.content, headers } };
}

function kindOf({ content, effect }: SquashSubject): Kind {
  if (content.method === 'PUT' && headerValue(content.headers, 'if-none-match')?.trim() === '*') return 'create';
  switch (effect) {
    case 'create':
    case 'relative':
    case 'delete':
      return effect;
    case 'absolute':
      return 'update';
    default:
      return 'other';
  }
}

/** Headers that do not tell which thing is meant, nor what is to become of it. */
const IGNORED: ReadonlySet<string> = new Set([...PRECONDITIONS, 'content-type', 'accept', 'prefer']);

/** Both are of the thing that the first names, or makes; another header may mean another tenant, or a dry run. */
function isSameThing(existing: SquashSubject, incoming: SquashSubject): boolean {
  const [first, second] = [existing.content, incoming.content];
  const localId = existing.intent?.localId;
  const made = localId === undefined ? undefined : `${first.path.replace(/\/$/, '')}/${localId}`;
  const isNamed = first.method === 'POST' ? made === second.path : first.path === second.path;
  return isNamed && second.method !== 'POST' && deepEqual(identityOf(first), identityOf(second));
}

function identityOf({ headers, fetch }: RequestContent): Json {
  const telling = headers.filter(([name]) => !IGNORED.has(name)).map(([name, value]) => `${name}: ${value}`);
  return [telling.sort(), fetch === undefined ? null : { ...definedOf(fetch), method: null }];
}

function definedOf(terms: object): { readonly [key: string]: Json } {
  return Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined));
}

/** A patch of a whole that is to be put: the whole is put, patched. */
function isPatchOf(existing: SquashSubject, incoming: SquashSubject): boolean {
  return existing.content.method === 'PUT' && incoming.content.method === 'PATCH';
}
