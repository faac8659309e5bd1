/** A fenced block of TypeScript or JavaScript in a page. */
export interface Snippet {
  readonly page: string;
  /** Of its first line of code, counted from 1. */
  readonly line: number;
  readonly language: 'ts' | 'js';
  /** Part of a program: it is checked, but not run. Written as "ts fragment" after the backticks. */
  readonly isFragment: boolean;
  readonly code: string;
}

const LANGUAGES: Readonly<Record<string, 'ts' | 'js'>> = {
  ts: 'ts',
  typescript: 'ts',
  mts: 'ts',
  js: 'js',
  javascript: 'js',
  mjs: 'js',
};

/** The snippets of a page. Throws on a mark that means nothing, so that none escapes its check by a slip. */
export function snippetsOf(page: string, markdown: string): Snippet[] {
  const found: Snippet[] = [];
  const lines = markdown.split('\n');
  let at = 0;
  while (at < lines.length) {
    const fence = /^( *)(`{3,}|~{3,})\s*(\S*)\s*(.*)$/.exec(lines[at] ?? '');
    at += 1;
    if (fence === null) continue;
    const [, indent = '', ticks = '', info = '', marks = ''] = fence;
    const start = at;
    while (at < lines.length && lines[at]?.trim() !== ticks) at += 1;
    const language = LANGUAGES[info.toLowerCase()];
    if (language !== undefined) {
      if (!['', 'fragment'].includes(marks.trim())) throw new Error(`${page}:${start}: unknown mark "${marks}"`);
      const code = lines.slice(start, at).map((line) => line.slice(Math.min(indent.length, line.search(/\S|$/))));
      found.push({ page, line: start + 1, language, isFragment: marks.trim() === 'fragment', code: code.join('\n') });
    }
    at += 1;
  }
  return found;
}
