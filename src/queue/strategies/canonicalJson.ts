/** Deeper documents are left as they are, so that a hostile one cannot exhaust the stack. */
const MAX_DEPTH = 200;

/**
 * JSON text without white space and with the keys of every object sorted; undefined when `text` is not JSON or nested too
 * deep. Works on the text itself: `JSON.parse` would round large numbers and drop repeated keys, and so make different
 * documents equal.
 */
export function canonicalJson(text: string): string | undefined {
  const scanner = new Scanner(text);
  const value = scanner.value(0);
  return value !== undefined && scanner.isAtEnd() ? value : undefined;
}

const LITERAL = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids exactly these in strings
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const SPACE = /[ \t\n\r]*/y;

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The canonical text of the value that starts here; undefined when there is none. */
  value(depth: number): string | undefined {
    this.#take(SPACE);
    switch (this.#text[this.#at]) {
      case '{':
        return depth < MAX_DEPTH ? this.#object(depth) : undefined;
      case '[':
        return depth < MAX_DEPTH ? this.#array(depth) : undefined;
      case '"':
        return this.#take(STRING);
      default:
        return this.#take(LITERAL);
    }
  }

  isAtEnd(): boolean {
    this.#take(SPACE);
    return this.#at === this.#text.length;
  }

  #array(depth: number): string | undefined {
    const items: string[] = [];
    this.#at += 1;
    if (this.#skip(']')) return '[]';
    do {
      const item = this.value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    } while (this.#skip(','));
    return this.#skip(']') ? `[${items.join(',')}]` : undefined;
  }

  #object(depth: number): string | undefined {
    const members: (readonly [key: string, text: string])[] = [];
    this.#at += 1;
    if (this.#skip('}')) return '{}';
    do {
      this.#take(SPACE);
      const key = this.#take(STRING);
      if (key === undefined || !this.#skip(':')) return undefined;
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      members.push([key, `${key}:${value}`]);
    } while (this.#skip(','));
    if (!this.#skip('}')) return undefined;
    members.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)); // stable: repeated keys keep their order
    return `{${members.map(([, text]) => text).join(',')}}`;
  }

  /** Takes `character`, after white space, if it is next. */
  #skip(character: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  /** Takes what the sticky `pattern` matches here. */
  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}
