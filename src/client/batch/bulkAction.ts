import { hasCondition } from '../../queue/strategies/conditions.ts';
import { percentDecoded } from '../../queue/strategies/percentDecoded.ts';
import type { BatchCandidate } from '../../queue/types/batch.ts';
import { hasBody, jsonBody } from './jsonMember.ts';
import { joinRaw } from './rawJson.ts';

/** A write of a single document as lines of a bulk call. */
export interface BulkAction {
  readonly name: 'index' | 'create' | 'update' | 'delete';
  /** Undefined where the server gives one. */
  readonly id: string | undefined;
  readonly lines: readonly string[];
  /** What of its query is for the whole call, with its question mark. */
  readonly search: string;
}

/** Parameters that stand in the line of an action, and whether as numbers. */
const OF_ACTION: Readonly<Record<string, 'text' | 'number' | 'boolean'>> = {
  routing: 'text',
  pipeline: 'text',
  version: 'number',
  version_type: 'text',
  if_seq_no: 'number',
  if_primary_term: 'number',
  require_alias: 'boolean',
  retry_on_conflict: 'number',
};
/** Parameters of the whole call. A request with any other goes alone. */
const OF_CALL: readonly string[] = ['refresh', 'timeout', 'wait_for_active_shards'];

/** Reads a request as an action; undefined where it has to go alone. */
export function bulkActionReader(base: string): (candidate: BatchCandidate) => BulkAction | undefined {
  return (candidate) => {
    const [path = '', search = ''] = candidate.path.split(/\?(.*)/s);
    if (!path.startsWith(`${base}/`) || hasCondition(candidate.headers)) return undefined;
    const parts = path
      .slice(base.length + 1)
      .split('/')
      .map(percentDecoded);
    const [index, endpoint, id] = parts;
    if (index === undefined || !/^[^_\-+,*?"\\ ][^,*?"\\ ]*$/.test(index)) return undefined;
    if (parts.length > 3 || parts.includes('')) return undefined;
    const parameters = parametersOf(search);
    if (parameters === undefined) return undefined;
    const { type, meta, call } = parameters;
    const name = actionName(candidate.method, endpoint, id, type);
    if (name === undefined) return undefined;
    const ids: [string, string][] = id === undefined ? [] : [['_id', JSON.stringify(id)]];
    const head = joinRaw([[name, joinRaw([['_index', JSON.stringify(index)], ...ids, ...meta])]]);
    if (name === 'delete') return hasBody(candidate) ? undefined : { name, id, lines: [head], search: call };
    const document = jsonBody(candidate);
    if (document === undefined || !document.startsWith('{')) return undefined;
    // Between the tokens only: no string of JSON has a bare line break.
    return { name, id, lines: [head, document.replaceAll(/[\r\n]+/g, ' ')], search: call };
  };
}

function actionName(
  method: string,
  endpoint: string | undefined,
  id: string | undefined,
  type: string | undefined,
): BulkAction['name'] | undefined {
  const isWrite = method === 'POST' || method === 'PUT';
  if (type !== undefined && endpoint !== '_doc') return undefined;
  if (endpoint === '_doc' && isWrite && (id !== undefined || method === 'POST')) {
    if (type !== undefined && type !== 'create' && type !== 'index') return undefined;
    return type ?? 'index';
  }
  if (endpoint === '_create' && isWrite && id !== undefined) return 'create';
  if (endpoint === '_update' && method === 'POST' && id !== undefined) return 'update';
  return endpoint === '_doc' && method === 'DELETE' && id !== undefined && type === undefined ? 'delete' : undefined;
}

/** Undefined where there is one that a bulk call has no place for, or one that stands twice. */
function parametersOf(
  search: string,
): { readonly type: string | undefined; readonly meta: [string, string][]; readonly call: string } | undefined {
  const meta: [string, string][] = [];
  const call: string[] = [];
  let type: string | undefined;
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(search)) {
    if (seen.has(name)) return undefined;
    seen.add(name);
    if (name === 'op_type') type = value;
    else if (OF_CALL.includes(name)) call.push(`${name}=${encodeURIComponent(value)}`);
    else {
      const text = Object.hasOwn(OF_ACTION, name) ? parameterText(OF_ACTION[name], value) : undefined;
      if (text === undefined) return undefined;
      meta.push([name, text]);
    }
  }
  return { type, meta, call: call.length === 0 ? '' : `?${call.sort().join('&')}` };
}

function parameterText(kind: 'text' | 'number' | 'boolean' | undefined, value: string): string | undefined {
  if (kind === 'text') return JSON.stringify(value);
  const pattern = kind === 'number' ? /^(?:0|[1-9]\d*)$/ : /^(?:true|false)$/;
  return pattern.test(value) ? value : undefined;
}
