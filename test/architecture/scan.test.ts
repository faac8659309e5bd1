import { describe, expect, it } from 'vitest';
import { codeOnly } from './support/scan.ts';

describe('the scan of source text', () => {
  it.each([
    ['line comments', 'a; // b\nc', 'a;     \nc'],
    ['block comments', 'a; /* b\nc */ d', 'a;     \n     d'],
    ['strings', "f('a\\'b', \"c\")", 'f(\'    \', " ")'],
    ['the text of templates', '`a${b}c`', '` ${b} `'],
    ['regular expressions', 'x.match(/a[/]b/g); c', 'x.match(/     /g); c'],
  ])('blanks %s and keeps the offsets', (_, source, code) => {
    expect(codeOnly(source)).toBe(code);
  });

  it('keeps the code inside nested templates', () => {
    expect(codeOnly('`a${f({ b: `c${d}e` })}f` + g')).toBe('` ${f({ b: ` ${d} ` })} ` + g');
  });

  it('takes a slash after a value for a division', () => {
    expect(codeOnly('(a) / b / c[0] / d')).toBe('(a) / b / c[0] / d');
  });
});
