/** One member of a list or dictionary of structured fields (RFC 9651), as far as headers about rates need it. */
export interface StructuredItem {
  /** The text of a string, token, number or byte sequence, or the key of a dictionary's member. */
  readonly name: string;
  /** Of a dictionary's member; null in a list. */
  readonly value: string | null;
  readonly parameters: ReadonlyMap<string, string>;
}

const BARE = String.raw`"(?:[^"\\]|\\["\\])*"|:[A-Za-z0-9+/=]*:|[^\s;,="\\]+`;
const MEMBER = new RegExp(String.raw`[ \t]*(${BARE})(?:=(${BARE}))?`, 'y');
const PARAMETER = new RegExp(String.raw`[ \t]*;[ \t]*([^\s;,="\\]+)(?:=(${BARE}))?`, 'y');
const SEPARATOR = /[ \t]*(?:,|$)/y;

/**
 * The members of a field value; null for one that is malformed, of which nothing may be used. Values of any kind are given as
 * text, and names need not be strings: both were otherwise in older drafts.
 */
export function parseStructuredList(value: string): StructuredItem[] | null {
  const items: StructuredItem[] = [];
  let at = 0;
  const next = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(value);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (at < value.length) {
    const member = next(MEMBER);
    if (member === null) return null;
    const parameters = new Map<string, string>();
    for (let found = next(PARAMETER); found !== null; found = next(PARAMETER)) {
      parameters.set(found[1] ?? '', textOf(found[2] ?? ''));
    }
    const separator = next(SEPARATOR);
    if (separator === null || (separator[0].endsWith(',') && at === value.length)) return null;
    items.push({
      name: textOf(member[1] ?? ''),
      value: member[2] === undefined ? null : textOf(member[2]),
      parameters,
    });
  }
  return items;
}

function textOf(bare: string): string {
  return bare.startsWith('"') ? bare.slice(1, -1).replace(/\\(.)/g, '$1') : bare;
}
