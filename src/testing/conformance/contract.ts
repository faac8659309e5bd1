import type { Backend } from '../../queue/types/backend.ts';

/** One empty store to test on, and handles on it. */
export interface ConformanceStore {
  /** Another handle on this store, not opened yet, while others may be open or abandoned. */
  handle(): Backend;
  /** Leaves a handle as a process that dies would: nothing is called on it any more. Absent: there is nothing to do. */
  abandon?(handle: Backend): Promise<void>;
  /** Removes the store with all its handles, open or not. */
  dispose(): Promise<void>;
}

/** What the suite needs of a test runner: vitest, jest, mocha and node:test have it. */
export interface ConformanceRunner {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

export interface ConformanceSkip {
  /** `group: test`, as the suite names it. */
  readonly test: string;
  readonly reason: string;
}

export interface ConformanceOptions {
  /** What is tested, for the report. */
  readonly name: string;
  readonly create: () => ConformanceStore | Promise<ConformanceStore>;
  readonly runner: ConformanceRunner;
  /**
   * Two handles may be open on one store, and one that was abandoned leaves what it stored.
   * @default true
   */
  readonly severalHandles?: boolean | undefined;
  /** Tests that do not apply, each with its reason, which is printed. One that names no test is an error. */
  readonly skip?: readonly ConformanceSkip[] | undefined;
}
