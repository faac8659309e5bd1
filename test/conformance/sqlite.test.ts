import { describe, it } from 'vitest';
import { describeBackend } from '../../src/testing/conformance/index.ts';
import { sqliteStore } from './support/sqliteStore.ts';

describeBackend({
  name: 'SQLite on a file',
  runner: { describe, it },
  create: () => sqliteStore(),
});
