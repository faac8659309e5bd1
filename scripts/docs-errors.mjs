// Writes docs/errors.md from the table of error codes. Run through `npm run docs`, after a build.
import { writeFileSync } from 'node:fs';

/**
 * The page of error codes.
 * @param {Readonly<Record<string, { retryable: boolean, meaning: string }>>} codes
 * @returns {string}
 */
export function renderErrorsPage(codes) {
  const rows = Object.entries(codes).map(
    ([code, { retryable, meaning }]) => `| \`${code}\` | ${retryable ? 'yes' : 'no'} | ${meaning} |`,
  );
  return [
    '# Error codes',
    '',
    'Everything this package throws is a `HoldfastError`. Recognise it by `code`, through `holdfastError(error, ...codes)`,',
    'which also looks into `cause`, `detail` and `errors`. *Again?* says whether the same call can succeed later.',
    '',
    '| code | again? | meaning |',
    '|---|---|---|',
    ...rows,
    '',
    'Written by `npm run docs` from the table in `src/errors.ts`.',
    '',
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  const { ERROR_CODES } = await import('../dist/errors.js');
  writeFileSync(new URL('../docs/errors.md', import.meta.url), renderErrorsPage(ERROR_CODES));
}
