import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { describeManyProcesses } from './support/manyProcesses.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-workers-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describeManyProcesses('one SQLite file', () => ({ kind: 'sqlite', path: join(folder, 'queue.db') }));
