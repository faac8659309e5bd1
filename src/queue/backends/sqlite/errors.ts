import type { ErrorCode } from '../../../errors.ts';
import { holdfastError } from '../../../errors.ts';
import type { PackedError } from './protocol.ts';

const FULL = /^(SQLITE_FULL|ENOSPC|EDQUOT)/;

/** Primary result codes of SQLite and codes of the file system, as this package names them. */
const CODES: readonly (readonly [pattern: RegExp, code: ErrorCode])[] = [
  [FULL, 'STORAGE_FULL'],
  [/^SQLITE_(NOTADB|CORRUPT)/, 'BACKEND_CORRUPT'],
  [/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/, 'REQUEST_INVALID'],
];

const ADVICE: Partial<Record<ErrorCode, string>> = {
  STORAGE_FULL: 'The disk is full; what is stored is intact. Free some space.',
  BACKEND_CORRUPT: 'The file is not a database of this package, or is damaged. It was left as it is.',
  REQUEST_INVALID: 'A value cannot be stored.',
};

/** True when another connection holds the lock; trying again may help. */
export function isBusy(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'));
}

/** True when the disk has no room. */
export function isFull(error: unknown): boolean {
  return FULL.test(String((error as { code?: unknown } | null)?.code ?? ''));
}

/** Any error as one of ours, in a form that crosses threads. */
export function packError(error: unknown, path: string): PackedError {
  const ours = holdfastError(error);
  const cause = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  if (ours !== undefined) {
    return { code: ours.code, message: ours.message, details: { ...ours.details }, cause: null };
  }
  const foreign = String((error as { code?: unknown } | null)?.code ?? '');
  const code = CODES.find(([pattern]) => pattern.test(foreign))?.[1] ?? 'BACKEND_UNAVAILABLE';
  const advice = ADVICE[code] ?? 'The database cannot be used.';
  const details =
    code === 'REQUEST_INVALID'
      ? { problems: [{ path: 'request', expected: 'values that can be stored', got: cause }] }
      : { path, reason: foreign };
  return { code, message: `${advice} (${path}: ${cause})`, details, cause };
}
