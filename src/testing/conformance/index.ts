export type { ConformanceOptions, ConformanceRunner, ConformanceSkip, ConformanceStore } from './contract.ts';
export { describeBackend } from './describeBackend.ts';
