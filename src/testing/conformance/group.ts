import type { Trial } from './Trial.ts';

/** One behaviour of a backend. */
export interface ConformanceTest {
  readonly name: string;
  readonly run: (trial: Trial) => Promise<void>;
  readonly needsHandles: boolean;
}

/** The tests of one verb or subject. */
export interface ConformanceGroup {
  readonly name: string;
  readonly tests: readonly ConformanceTest[];
}

/** Collects the tests of a group in the order in which they are written. */
export function group(
  name: string,
  write: (
    test: (name: string, run: ConformanceTest['run']) => void,
    handlesTest: (name: string, run: ConformanceTest['run']) => void,
  ) => void,
): ConformanceGroup {
  const tests: ConformanceTest[] = [];
  write(
    (testName, run) => tests.push({ name: testName, run, needsHandles: false }),
    (testName, run) => tests.push({ name: testName, run, needsHandles: true }),
  );
  return { name, tests };
}
