import { jsonOf } from '../strategies/json.ts';
import { isJsonObject } from '../strategies/jsonValue.ts';
import { showsFields } from '../strategies/sameFields.ts';
import type { Json, StoredRequest } from '../types/request.ts';
import type { ProbeContext, ProbeFunction, ProbeVerdict } from './config/options.ts';
import { byStamp } from './probeKits/byStamp.ts';
import type { ResourceRules } from './resources.ts';
import type { ZonePolicy } from './zonePolicy.ts';

const APPLIED: ProbeVerdict = { outcome: 'applied' };
const NOT_APPLIED: ProbeVerdict = { outcome: 'notApplied' };
const INCONCLUSIVE: ProbeVerdict = { outcome: 'inconclusive' };

/** Writes whose path names what they change: reading it shows whether they were applied. */
const ADDRESSED: ReadonlySet<string> = new Set(['PUT', 'PATCH', 'DELETE']);

/**
 * How to find out whether a request of this zone was applied: the way of its resource, by the stamp it bears, the way of its zone, else by reading what its path names. What a POST made is
 * not at its path, so reading that shows nothing of it.
 */
export function probeFor(
  request: Pick<StoredRequest, 'content'>,
  zone: ZonePolicy,
  resource: ResourceRules | undefined,
): ProbeFunction | undefined {
  if (resource?.probe !== undefined) return resource.probe;
  if (resource?.stamp !== undefined && request.content.method === 'POST') return byStamp(resource.stamp);
  if (typeof zone.probe === 'function') return zone.probe;
  return ADDRESSED.has(request.content.method) ? byResource : undefined;
}

/**
 * Reads the path of the write. A delete was applied when nothing is there. Another write was applied when all fields it sent are
 * shown, and was not when nothing is there or its `base` still is, with what a PUT means to remove. Any other difference shows nothing: the request may have been
 * applied and changed since, or mean something else than to set fields, and a resend would undo or repeat that.
 */
export async function byResource(context: ProbeContext): Promise<ProbeVerdict> {
  const { method, path, body } = context.request.content;
  const response = await context.send({ method: 'GET', path });
  const isThere = response.status >= 200 && response.status < 300;
  const isGone = response.status === 404 || response.status === 410;
  if (!isThere && !isGone) return INCONCLUSIVE;
  if (method === 'DELETE') return isGone ? APPLIED : NOT_APPLIED;
  if (isGone) return NOT_APPLIED;
  const sent = jsonOf(body);
  const remote = jsonOf(response.body);
  if (sent === undefined || remote === undefined || typeof sent !== 'object' || sent === null) return INCONCLUSIVE;
  // A JSON Patch is a list of operations, not of fields.
  if (method === 'PATCH' && Array.isArray(sent)) return INCONCLUSIVE;
  const { base } = context.request;
  const isBase = showsBase(remote, base);
  const isShown = showsFields(remote, sent);
  return isShown && !(isBase && leavesOut(method, sent, base)) ? APPLIED : isBase ? NOT_APPLIED : INCONCLUSIVE;
}

/** A PUT that leaves out what its base has means to remove that: what it sends may have been there before. */
function leavesOut(method: string, sent: Json, base: Json): boolean {
  if (method !== 'PUT' || !isJsonObject(sent) || !isJsonObject(base)) return false;
  return Object.keys(base).some((field) => !Object.hasOwn(sent, field));
}

/** A base without fields would be shown by everything. */
function showsBase(remote: Json, base: Json): boolean {
  return typeof base === 'object' && base !== null && Object.keys(base).length > 0 && showsFields(remote, base);
}
