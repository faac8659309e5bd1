import { describe, it } from 'vitest';
import { describeBackend } from '../../src/testing/conformance/index.ts';
import { alternate } from './support/alternate.ts';
import { sqliteInMemory, sqliteStore } from './support/sqliteStore.ts';

describeBackend({
  name: 'SQLite with two handles on one file',
  runner: { describe, it },
  create: () => sqliteStore((open) => alternate(open(), open())),
});

describeBackend({
  name: 'SQLite in memory',
  runner: { describe, it },
  severalHandles: false,
  create: () => sqliteInMemory(),
});
