import { describe, expect, it } from 'vitest';
import type { SourceFile } from './support/project.ts';
import { sourcesUnder } from './support/project.ts';
import { lineAt } from './support/scan.ts';

interface Named {
  readonly indent: number;
  readonly name: string;
  readonly line: number;
  readonly isGroup: boolean;
}

/** Tests and groups whose name is a plain string, in order; the formatter's indentation tells what holds what. */
function namesIn(file: SourceFile): Named[] {
  const calls =
    /^([ \t]*)(describe|it|test)(?:\.(?:each|for|skip|only|fails|todo|concurrent|sequential|skipIf|runIf)(?:\([^)]*\))?)*\(\s*(['"`])/gm;
  return [...file.code.matchAll(calls)].map((match) => {
    const start = match.index + match[0].length;
    const end = file.code.indexOf(match[3] as string, start);
    return {
      indent: (match[1] as string).length,
      name: file.text.slice(start, end),
      line: lineAt(file.text, match.index + (match[1] as string).length),
      isGroup: match[2] === 'describe',
    };
  });
}

function duplicatesIn(file: SourceFile): string[] {
  const groups: Named[] = [];
  const seen = new Set<string>();
  const duplicates: string[] = [];
  for (const named of namesIn(file)) {
    while (groups.length > 0 && (groups.at(-1) as Named).indent >= named.indent) groups.pop();
    const full = [...groups, named].map(({ name }) => name).join(' > ');
    if (named.isGroup) groups.push(named);
    else if (seen.has(full)) duplicates.push(`${file.path}:${named.line} ${full}`);
    else seen.add(full);
  }
  return duplicates;
}

describe('the names of tests', () => {
  it('are different within a file', () => {
    const files = [...sourcesUnder('test'), ...sourcesUnder('src/testing/conformance')];
    expect(files.flatMap(duplicatesIn)).toEqual([]);
  });

  it('are compared within their group', () => {
    const code = `describe('', () => {\n  it('', f);\n  it('', f);\n});\ndescribe('', () => {\n  it('', f);\n});\n`;
    const fill = ["'a'", "'x'", "'x'", "'b'", "'x'"];
    const text = code.replace(/''/g, () => fill.shift() as string);
    const blanked = text.replace(/'\w'/g, "' '");
    expect(duplicatesIn({ path: 'a.ts', text, code: blanked, imports: [] })).toEqual(['a.ts:3 a > x']);
  });
});
