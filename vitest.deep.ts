/** Tests that take minutes of real time on two cores: left out of `npm test`, run by `npm run test:deep`. */
export const DEEP = [
  'test/workers/**/*.test.ts',
  'test/zones/twoProcesses.test.ts',
  'test/scheduling/processes.test.ts',
  'test/replay/faults/toggled.test.ts',
  'test/conformance/spill.test.ts',
  'test/conformance/spillRedis.test.ts',
  'test/conformance/sqliteHandles.test.ts',
  'test/conformance/redisVariants.test.ts',
];

/** Tests of `npm test` that `npm run test:deep` repeats, so many times as these variables say. */
export const DEEPER = [
  'test/conformance/oracle.property.test.ts',
  'test/replay/model/model.property.test.ts',
  'test/backends/memory/invariants.property.test.ts',
  'test/strategies/breaker/figures.test.ts',
  'test/zones/reconnect.test.ts',
];
export const DEEPER_BY = {
  ORACLE_RUNS: '500',
  MODEL_RUNS: '1000',
  MEMORY_RUNS: '2000',
  BREAKER_SEEDS: '1000',
  ZONE_WAITING: '10000',
};
