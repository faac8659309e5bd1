import type { Problem } from './errors.ts';

/** Problems in one line, as the messages of errors have them. */
export function problemWords(problems: readonly Problem[]): string {
  return problems.map(({ path, expected, got }) => `${path}: expected ${expected}, got ${got}`).join('; ');
}
