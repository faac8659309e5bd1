import { parseLocalId } from './localId.ts';
import { percentDecoded } from './percentDecoded.ts';

const ID = '{id}';
const MAX_SEGMENTS = 24;
const MAX_LENGTH = 200;
/** Beyond this no segment is a name. */
const LONGEST_NAME = 64;

const VERSION = /^v\d+(?:\.\d+)*$/i;
const UUID = /^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$/i;
/** OData: `Tickets(7)`, `Users('a@b.c')`. */
const KEYED = /^([A-Za-z_][\w.]*)\((.+)\)$/;
const SEPARATORS = /[-_.~:,;=+!*$&@]/;

/**
 * A path with what names one thing of many replaced by `{id}`: numbers, UUIDs, hashes, local ids, addresses, and what is too long or too mixed
 * to be a name. Without its query. A template is its own template.
 */
export function pathTemplate(path: string): string {
  const end = path.search(/[?#]/);
  const segments = (end === -1 ? path : path.slice(0, end)).split('/', MAX_SEGMENTS + 1);
  const isCut = segments.length > MAX_SEGMENTS;
  const template = segments.slice(0, MAX_SEGMENTS).map(templateOf).join('/');
  return template.slice(0, MAX_LENGTH) + (isCut ? '/...' : '');
}

function templateOf(segment: string): string {
  if (segment === '' || segment === ID || VERSION.test(segment)) return segment;
  const text = percentDecoded(segment) ?? segment;
  const keyed = KEYED.exec(text);
  if (keyed !== null) return `${keyed[1]}(${ID})`;
  return isName(text) ? segment : ID;
}

function isName(text: string): boolean {
  if (text.length > LONGEST_NAME || UUID.test(text) || text.includes('@') || parseLocalId(text) !== undefined)
    return false;
  return !text.split(SEPARATORS).some(isOpaque);
}

/** Whether a part of a text, between separators, names one thing of many rather than a kind of them. */
export function isOpaque(part: string): boolean {
  if (!/\d/.test(part)) return part.length >= 16 && caseChanges(part) >= 4;
  if (/^\d+$/.test(part)) return true;
  if (/^[0-9a-f]{8,}$/i.test(part)) return true;
  return part.length >= 12 && /[a-z]/i.test(part);
}

/** Names change case where a word begins; tokens do it anywhere. */
function caseChanges(part: string): number {
  let changes = 0;
  for (let index = 1; index < part.length; index += 1) {
    const isTurn = /[A-Z]/.test(part.charAt(index)) && /[A-Z]/.test(part.charAt(index - 1));
    const isShort = /[A-Z]/.test(part.charAt(index)) && /[A-Z]/.test(part.charAt(index - 2));
    if (isTurn || isShort) changes += 1;
  }
  return changes;
}
