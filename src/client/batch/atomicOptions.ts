import type { BatchOptions } from './batchOptions.ts';
import { checkBatchOptions, OptionCheck } from './batchOptions.ts';

/** Where the API is, and how operations name their targets. */
export interface AtomicOperationsOptions extends BatchOptions {
  /** Where operations are sent. @default '/operations' below `base` */
  readonly path?: string | undefined;
  /** What the paths of all resources begin with: `/api`. @default '' */
  readonly base?: string | undefined;
  /** How an operation names its target: by type and id, the type being the name in the path, or by the path itself. @default 'ref' */
  readonly target?: 'ref' | 'href' | undefined;
  /** Types whose name is another in paths, by that name: `{ people: 'person' }`. @default none */
  readonly types?: Readonly<Record<string, string>> | undefined;
  /** Headers that do not change the answer: by all others, requests are told apart. @default none */
  readonly ignoreHeaders?: readonly string[] | undefined;
}

const KNOWN = ['path', 'base', 'target', 'types', 'ignoreHeaders'];

/** @throws CONFIG_INVALID with everything that is wrong with them */
export function assertAtomicOptions(options: AtomicOperationsOptions): void {
  const check = new OptionCheck('atomicOperations');
  const { path, base, target, types, ignoreHeaders } = checkBatchOptions(check, options, KNOWN);
  const isPath = (value: unknown): boolean => typeof value === 'string' && /^(?:\/[^\s/?#]+)+$/.test(value);
  check.expect('path', path === undefined || isPath(path), "a path such as '/operations'", path);
  check.expect('base', base === undefined || base === '' || isPath(base), "a path such as '/api'", base);
  check.oneOf('target', target, undefined, 'ref', 'href');
  const isTypes =
    types === undefined ||
    (typeof types === 'object' && types !== null && Object.values(types).every((type) => typeof type === 'string'));
  check.expect('types', isTypes, 'types by their name in paths', types);
  check.headerNames('ignoreHeaders', ignoreHeaders);
  check.done();
}
