import { HoldfastError } from '../../../errors.ts';
import type { Settled } from '../../types/calls.ts';
import { MalformedBody, parseBody } from './parseBody.ts';
import type { Schema, SchemaIssue, SchemaResult } from './schema.ts';

/**
 * What a caller gets of a settled request: its body, parsed and validated. A promise only when the schema validates
 * asynchronously. Without a schema the type is the caller's word.
 *
 * @throws `settled.error` when it did not succeed
 * @throws RESULT_GONE when it succeeded and its answer was not kept
 * @throws RESPONSE_INVALID when the body is malformed or not what the schema says
 */
export function parseWith<T>(schema: Schema<T> | undefined, settled: Settled): T | Promise<T> {
  if (settled.error !== undefined) throw settled.error;
  const value = bodyOf(settled);
  if (schema === undefined) return value as T; // the caller's word
  const result = schema['~standard'].validate(value);
  return result instanceof Promise ? result.then((later) => outputOf(later, settled)) : outputOf(result, settled);
}

function bodyOf(settled: Settled): unknown {
  const { id, zone, reason, response } = settled;
  if (response === undefined) {
    const message = `Request ${id} to ${zone} succeeded (${reason}), but its answer was not kept.`;
    throw new HoldfastError('RESULT_GONE', message, { id, zone, reason });
  }
  try {
    return parseBody(response);
  } catch (error) {
    if (error instanceof MalformedBody) throw invalid(settled, [{ message: error.message }], error.cause);
    throw error;
  }
}

function outputOf<T>(result: SchemaResult<T>, settled: Settled): T {
  if (result.issues === undefined) return result.value;
  throw invalid(settled, result.issues);
}

function invalid(settled: Settled, found: readonly SchemaIssue[], cause?: unknown): HoldfastError {
  const { id, zone } = settled;
  const issues = found.map(({ message, path }) => ({ message, path: pointer(path) }));
  const where = issues[0]?.path ? ` at ${issues[0].path}` : '';
  const message = `Request ${id} to ${zone} succeeded, but its answer is not what was expected${where}: ${issues[0]?.message}`;
  return new HoldfastError('RESPONSE_INVALID', message, { id, issues }, cause === undefined ? undefined : { cause });
}

/** A JSON pointer (RFC 6901). */
function pointer(path: SchemaIssue['path']): string {
  if (path === undefined) return '';
  return path
    .map((segment) => String(typeof segment === 'object' ? segment.key : segment))
    .map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}
