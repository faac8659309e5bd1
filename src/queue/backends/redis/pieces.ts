/** A definition of the Lua files that stands by itself: a function, a verb, or a value that is shared. */
interface Piece {
  readonly file: string;
  readonly text: string;
  /** What it mentions. */
  uses: readonly string[];
}

/** A file of pieces, in the order in which they see each other. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** What is there before anything else, in every script. */
const GROUND = /^local (q|call) =/;
const DEFINITION = /^(?:local )?function ([\w.]+)|^(?:local )?([\w.]+(?:, [\w.]+)*) =/;
/** Names of variables and parameters. */
const OWN = /(?:^\s+local|for) (\w+(?:, \w+)*) (?:=|in)|function\s?[\w.]*\(([\w, ]+)\)/gm;
/** A word that is no field, unless it is one of `q`. */
const WORD = /(?<![\w.])(?:q\.(?:verbs\.)?)?\w+/g;

/** The pieces of all files, by what they define. */
export class Pieces {
  readonly #ordered: Piece[] = [];
  readonly #byName = new Map<string, Piece[]>();

  constructor(sources: readonly Source[]) {
    for (const { file, text } of sources) for (const one of split(text)) this.#add(file, one);
    for (const piece of this.#ordered) piece.uses = piece.uses.filter((name) => this.#byName.has(name));
  }

  #add(file: string, text: string): void {
    const piece = { file, text, uses: usesOf(text) };
    this.#ordered.push(piece);
    if (GROUND.test(text)) return;
    const [, one, several] = DEFINITION.exec(text) ?? [];
    const names = one === undefined ? several?.split(', ') : [one];
    if (names === undefined) throw new Error(`${file}.lua has a line that defines nothing: ${text}`);
    for (const name of names) {
      const known = this.#byName.get(name) ?? [];
      if (known.some((other) => other.file !== file)) throw new Error(`${name} is defined in two files`);
      this.#byName.set(name, [...known, piece]);
    }
  }

  /** Of each file what is needed for some names: in order, as text. */
  neededFor(names: readonly string[]): Source[] {
    const needed = new Set(this.#ordered.filter(({ text }) => GROUND.test(text)));
    const open = [...names];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      for (const piece of this.#byName.get(name) ?? []) {
        if (needed.has(piece)) continue;
        needed.add(piece);
        open.push(...piece.uses);
      }
    }
    const texts = new Map<string, string[]>();
    for (const { file, text } of this.#ordered.filter((piece) => needed.has(piece))) {
      const known = texts.get(file);
      if (known === undefined) texts.set(file, [text]);
      else known.push(text);
    }
    return [...texts].map(([file, lines]) => ({ file, text: `${lines.join('\n')}\n` }));
  }
}

/** What a text mentions and does not name itself. */
export function usesOf(text: string): readonly string[] {
  const uses = new Set(text.match(WORD));
  for (const [, variables, parameters] of text.matchAll(OWN)) {
    for (const name of (variables ?? parameters ?? '').split(', ')) uses.delete(name);
  }
  return [...uses];
}

/** Each begins at the edge of the page, and goes on as far as lines are indented, or close it. */
function split(text: string): string[] {
  const pieces: string[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (/^(\s|end\b|[})])/.test(line)) pieces.push(`${pieces.pop() ?? ''}\n${line}`);
    else pieces.push(line);
  }
  return pieces;
}
