import { HoldfastError } from '../errors.ts';
import { parseLocalId } from '../queue/strategies/localId.ts';

/**
 * A body with the id of its request in a field, by which the thing it makes is found again. `field`: a name, or a JSON pointer.
 *
 * @throws REQUEST_INVALID for a body without fields, one that has the field already, and what is no local id
 */
export function stamped(body: unknown, field: string, localId: string): unknown {
  const stamp = parseLocalId(localId)?.requestId;
  if (stamp === undefined) throw invalid('localId', 'a local id that queue.localId() gave');
  const names = field.startsWith('/') ? field.slice(1).split('/').map(unescaped) : [field];
  return withField(body, names, stamp, field);
}

function withField(value: unknown, names: readonly string[], stamp: string, field: string): unknown {
  const [name = '', ...inside] = names;
  if (!isPlain(value)) throw invalid('body', `an object, to have ${field} put into it`);
  const present = Object.hasOwn(value, name) ? value[name] : undefined;
  if (inside.length > 0) return { ...value, [name]: withField(present ?? {}, inside, stamp, field) };
  if (present !== undefined) throw invalid('body', `one without ${field}: that is where its stamp goes`);
  return { ...value, [name]: stamp };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function unescaped(name: string): string {
  return name.replaceAll('~1', '/').replaceAll('~0', '~');
}

function invalid(path: string, expected: string): HoldfastError {
  const problems = [{ path, expected, got: 'something else' }];
  return new HoldfastError('REQUEST_INVALID', `the call is invalid: ${path}: expected ${expected}`, { problems });
}
