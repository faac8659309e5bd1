/** Tests that take minutes of real time on two cores: left out of `npm test`, run by `npm run test:deep`. */
export const DEEP = [
  'test/workers/**/*.test.ts',
  'test/zones/twoProcesses.test.ts',
  'test/scheduling/processes.test.ts',
  'test/replay/faults/toggled.test.ts',
  'test/conformance/spill.test.ts',
  'test/conformance/spillRedis.test.ts',
  'test/conformance/sqliteHandles.test.ts',
];
