/** A path with named parts: `/crm/{type}/{id}`. A part is one segment, or what is between the literal ends of one. */
export interface PathPattern {
  readonly names: readonly string[];
  /** Undefined where the path is another one. */
  match(path: string): PathMatch | undefined;
}

export interface PathMatch {
  /** The parts by name, as they stand in the path: percent-encoded. */
  readonly parts: Readonly<Record<string, string>>;
  /** The query, with its question mark; '' without. */
  readonly search: string;
}

const PART = /\{(\w+)\}/g;
const PLAIN = /^\/[^\s?#{}\\]*$/;

/** What is expected of a pattern, in words for problems. */
export const PATTERN_EXPECTED =
  "a path that starts with '/', without query, in which {name} stands for a part, no name twice and no two side by side";

export function isPathPattern(value: unknown): value is string {
  if (typeof value !== 'string' || value.includes('}{')) return false;
  const names = partNames(value);
  return PLAIN.test(value.replaceAll(PART, 'x')) && new Set(names).size === names.length;
}

export function partNames(pattern: string): string[] {
  return [...pattern.matchAll(PART)].map(([, name]) => name as string);
}

/** Without the parts: at least so long is every path of the pattern. */
export function literalLength(pattern: string): number {
  return pattern.replaceAll(PART, '').length;
}

export function pathPattern(pattern: string): PathPattern {
  const names = partNames(pattern);
  const literals = pattern.split(/\{\w+\}/).map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const expression = new RegExp(`^${literals.join('([^/]+)')}$`);
  return {
    names,
    match(path) {
      const query = path.indexOf('?');
      const found = expression.exec(query === -1 ? path : path.slice(0, query));
      if (found === null) return undefined;
      const parts = Object.fromEntries(names.map((name, index) => [name, found[index + 1] as string]));
      return { parts, search: query === -1 ? '' : path.slice(query) };
    },
  };
}

/** The path of a pattern with these parts, as they stand in a path. */
export function fillPath(pattern: string, parts: Readonly<Record<string, string>>): string {
  return pattern.replaceAll(PART, (part, name: string) => parts[name] ?? part);
}
