/** Source text with the contents of comments, strings and regular expressions replaced by spaces, offsets unchanged. */
export function codeOnly(source: string): string {
  const out = source.split('');
  const blank = (from: number, to: number): void => {
    for (let at = from; at < to && at < out.length; at += 1) if (out[at] !== '\n') out[at] = ' ';
  };
  /** Depth of braces inside each open template expression. */
  const templates: number[] = [];
  let at = 0;
  while (at < source.length) {
    const char = source[at] as string;
    const two = source.slice(at, at + 2);
    if (two === '//') {
      const end = endOf(source, '\n', at);
      blank(at, end);
      at = end;
    } else if (two === '/*') {
      const end = endOf(source, '*/', at + 2) + 2;
      blank(at, end);
      at = end;
    } else if (char === "'" || char === '"') {
      const end = endOfQuoted(source, at);
      blank(at + 1, end);
      at = end + 1;
    } else if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop();
      const end = endOfTemplateText(source, at + 1);
      blank(at + 1, end);
      if (source[end] === '$') templates.push(0);
      at = source[end] === '$' ? end + 2 : end + 1;
    } else if (char === '/' && startsRegex(out, at)) {
      const end = endOfRegex(source, at);
      blank(at + 1, end);
      at = end + 1;
    } else {
      const depth = templates.at(-1);
      if (depth !== undefined && char === '{') templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && char === '}') templates[templates.length - 1] = depth - 1;
      at += 1;
    }
  }
  return out.join('');
}

function endOf(source: string, what: string, from: number): number {
  const found = source.indexOf(what, from);
  return found === -1 ? source.length : found;
}

function endOfQuoted(source: string, start: number): number {
  let at = start + 1;
  while (at < source.length && source[at] !== source[start] && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
  return at;
}

/** The closing backtick, or the `$` of the next `${`. */
function endOfTemplateText(source: string, from: number): number {
  let at = from;
  while (at < source.length && source[at] !== '`' && source.slice(at, at + 2) !== '${') {
    at += source[at] === '\\' ? 2 : 1;
  }
  return at;
}

function endOfRegex(source: string, start: number): number {
  let at = start + 1;
  let inClass = false;
  while (at < source.length && source[at] !== '\n' && (inClass || source[at] !== '/')) {
    if (source[at] === '[') inClass = true;
    if (source[at] === ']') inClass = false;
    at += source[at] === '\\' ? 2 : 1;
  }
  return at;
}

/** A slash divides after a value; everywhere else it starts a regular expression. */
function startsRegex(code: readonly string[], at: number): boolean {
  const before = code
    .slice(Math.max(0, at - 200), at)
    .join('')
    .trimEnd();
  return !/[\w$)\]}'"`]$/.test(before) || /\b(return|typeof|case|in|of|await|yield)$/.test(before);
}

/** The line of an offset, counted from 1. */
export function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length;
}
