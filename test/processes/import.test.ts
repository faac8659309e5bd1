import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DIST, describe as describeEnd, startChild } from './support/child.ts';

const PROBE = new URL('./support/probe.mjs', import.meta.url);

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-import-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

describe('a process', () => {
  it('is as before after importing holdfast, and ends by itself', async () => {
    const end = await startChild(PROBE, [DIST], folder).ended;
    expect(end, describeEnd(end)).toMatchObject({ code: 0, lines: ['[]'] });
  });

  it('is as before after using and closing a queue in memory, fetch and dispatcher included', async () => {
    const end = await startChild(PROBE, [DIST, 'use'], folder).ended;
    expect(end, describeEnd(end)).toMatchObject({ code: 0, lines: ['[]'] });
  });
});
