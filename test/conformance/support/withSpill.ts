import { SpillingBackend } from '../../../src/queue/backends/spill/SpillingBackend.ts';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import { systemClock } from '../../../src/system/clock.ts';

export function withSpill(primary: Backend): SpillingBackend {
  const spill = new SQLiteBackend({ path: ':memory:' });
  return new SpillingBackend({ primary, spill, of: 'conformance', clock: systemClock });
}
