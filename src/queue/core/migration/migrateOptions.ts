import type { Problem } from '../../../errors.ts';
import { suggestion } from '../../../suggestion.ts';
import type { Clock } from '../../../system/clock.ts';
import type { RequestFilter } from '../../types/request.ts';
import { hasMethods, isRecord } from '../config/fields.ts';
import { assertFilter } from '../filter.ts';
import { invalid } from './ends.ts';
import type { MigrationProgress } from './result.ts';

/** How requests are moved. */
export interface MigrateOptions {
  /** Which requests. Schedules go along only without one. @default all that wait */
  readonly filter?: RequestFilter | undefined;
  /** Requests per step, 1 to 1,000: so many are in memory at a time. @default 100 */
  readonly limit?: number | undefined;
  /** Stops between two steps and gives everything back. Not heard any more once requests are handed over. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each step. What it throws stops the move; thrown before requests are handed over, it gives everything back. */
  readonly onProgress?: ((progress: MigrationProgress) => void) | undefined;
  /** @default the system's */
  readonly clock?: Clock | undefined;
}

export const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

const CHECKS: { readonly [K in keyof Required<MigrateOptions>]: readonly [string, (value: unknown) => boolean] } = {
  filter: ['a filter', isRecord],
  limit: [
    `a whole number from 1 to ${MAX_LIMIT}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= MAX_LIMIT,
  ],
  signal: ['an AbortSignal', (value) => hasMethods(value, 'throwIfAborted')],
  onProgress: ['a function', (value) => typeof value === 'function'],
  clock: ['a clock', (value) => hasMethods(value, 'now', 'monotonicNow', 'schedule')],
};

/** @throws CONFIG_INVALID, and REQUEST_INVALID for a filter with unknown fields or words */
export function checkMigrateOptions(options: MigrateOptions): void {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const path = `options.${name}`;
    if (!Object.hasOwn(CHECKS, name)) {
      problems.push({ path, expected: suggestion(name, Object.keys(CHECKS)), got: 'an unknown option' });
      continue;
    }
    const [expected, accepts] = CHECKS[name as keyof typeof CHECKS]; // one of its own keys
    if (!accepts(value))
      problems.push({ path, expected, got: typeof value === 'object' ? 'an object' : String(value) });
  }
  if (problems.length > 0) throw invalid(problems);
  if (options.filter !== undefined) assertFilter(options.filter);
}
