// Prints "passed failed" from a report of vitest and its exit code. A run that died, found no test, or failed outside
// of a test counts as one failure, so that a green count always means a green run.
import { readFileSync } from 'node:fs';

const [path, status] = process.argv.slice(2);

/** @returns {{ numPassedTests: number, numFailedTests: number }} */
function report() {
  try {
    return JSON.parse(readFileSync(path ?? '', 'utf8'));
  } catch (error) {
    console.error(`no report of the tests: ${error instanceof Error ? error.message : error}`);
    return { numPassedTests: 0, numFailedTests: 0 };
  }
}

const { numPassedTests: passed, numFailedTests } = report();
const failed = numFailedTests === 0 && (status !== '0' || passed === 0) ? 1 : numFailedTests;
console.log(`${passed} ${failed}`);
