import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const text = readFileSync(new URL('../../CHANGELOG.md', import.meta.url), 'utf8');

describe('the changelog', () => {
  it('has each kind of change once for each version, and no marks of a merge', () => {
    const versions = text.split(/^## /m).slice(1);
    for (const version of versions) {
      const kinds = version.match(/^### .*$/gm) ?? [];
      expect(kinds).toEqual([...new Set(kinds)]);
    }
    expect(text).not.toMatch(/^(?:<{7}|={7}|>{7})/m);
  });
});
