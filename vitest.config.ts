import { defineConfig } from 'vitest/config';
import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';
import { DEEP } from './vitest.deep.ts';

/**
 * Areas whose tests leave their process as they found it: a process runs one file of them after another, which loads the library and the tools
 * of the tests once. Any other file has a process to itself.
 */
const TOGETHER = ['architecture', 'client', 'config', 'core', 'gates', 'promises', 'strategies', 'testing'];

/** The conformance suites are small files that take longest: begun last, one of them would keep a single worker busy to the end. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => moduleId.includes('/test/conformance/');
    const isAlone = ({ project }: TestSpecification): boolean => project.config.isolate;
    const place = (file: TestSpecification): number => (isLong(file) ? 0 : isAlone(file) ? 1 : 2);
    return sorted.toSorted((one, other) => place(one) - place(other));
  }
}

/** What holds for every test file, wherever it runs. */
export const EACH = {
  pool: 'forks',
  maxWorkers: 2,
  // Limits for what hangs, not for what is slow: a busy machine takes many times as long.
  testTimeout: 120_000,
  hookTimeout: 60_000,
  teardownTimeout: 10_000,
  expect: { poll: { timeout: 30_000 } },
} as const;

const together = TOGETHER.map((area) => `test/${area}/**/*.test.ts`);
// Acceptance runs take minutes and are started by name.
const exclude = ['test/acceptance/**', ...DEEP, '**/node_modules/**'];

export default defineConfig({
  test: {
    globalSetup: ['test/globalSetup.ts'],
    maxWorkers: EACH.maxWorkers,
    sequence: { sequencer: LongFirst },
    reporters: ['default'],
    projects: [
      { test: { ...EACH, name: 'alone', include: ['test/**/*.test.ts'], exclude: [...exclude, ...together] } },
      { test: { ...EACH, name: 'together', include: together, exclude, isolate: false } },
    ],
  },
});
