import type { Problem } from '../../errors.ts';
import { HoldfastError } from '../../errors.ts';
import { problemWords } from '../../problemWords.ts';
import { suggestion } from '../../suggestion.ts';
import type { RequestFilter } from '../types/request.ts';
import { REASONS, REQUEST_STATES } from '../types/states.ts';

const FIELDS = [
  'ids',
  'key',
  'state',
  'reason',
  'zone',
  'lane',
  'principal',
  'tags',
  'acceptedBefore',
  'acceptedAfter',
  'bundle',
] as const;

/** Refuses filters that would silently match something else than was meant. */
export function assertFilter(filter: RequestFilter): void {
  const problems: Problem[] = [];
  for (const name of Object.keys(filter)) {
    if ((FIELDS as readonly string[]).includes(name)) continue;
    problems.push({ path: `filter.${name}`, expected: suggestion(name, FIELDS), got: 'an unknown field' });
  }
  checkWords('state', filter.state, REQUEST_STATES, problems);
  checkWords('reason', filter.reason, REASONS, problems);
  if (problems.length > 0) throw invalidFilter(problems);
}

/** REQUEST_INVALID that says everything at once. */
export function invalidFilter(problems: readonly Problem[]): HoldfastError<'REQUEST_INVALID'> {
  return new HoldfastError('REQUEST_INVALID', `the filter is invalid: ${problemWords(problems)}`, { problems });
}

export function isEmptyFilter(filter: RequestFilter): boolean {
  return Object.values(filter).every((value) => value === undefined);
}

/** A problem for each name that no option has. */
export function unknownOptions(given: object, known: readonly string[]): Problem[] {
  return Object.keys(given)
    .filter((name) => !known.includes(name))
    .map((name) => ({ path: name, expected: suggestion(name, known), got: 'an unknown option' }));
}

function checkWords(
  field: string,
  given: string | readonly string[] | undefined,
  known: readonly string[],
  problems: Problem[],
): void {
  for (const word of given === undefined ? [] : typeof given === 'string' ? [given] : given) {
    if (!known.includes(word)) problems.push({ path: `filter.${field}`, expected: suggestion(word, known), got: word });
  }
}
