import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CONFORMANCE_GROUPS } from '../../src/testing/conformance/describeBackend.ts';

const backends = new URL('../../src/queue/backends/', import.meta.url);

describe('conformance', () => {
  it('has a test file for every folder of backends', () => {
    const folders = readdirSync(backends, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const missing = folders.filter(({ name }) => !existsSync(new URL(`./${name}.test.ts`, import.meta.url)));
    expect(missing.map(({ name }) => name)).toEqual([]);
    expect(folders.length).toBeGreaterThan(0);
  });

  it('names every test once', () => {
    const names = CONFORMANCE_GROUPS.flatMap(({ name, tests }) => tests.map((test) => `${name}: ${test.name}`));
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});
