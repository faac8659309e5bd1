import { isJsonObject } from '../strategies/jsonValue.ts';
import type { Context } from './context.ts';
import type { ResourceRules } from './resources.ts';
import type { SentRequest } from './sentRequest.ts';
import { messageOf } from './tell.ts';
import type { Version } from './versions.ts';
import { thingAt, versionOf } from './versions.ts';

/** Of those behind a change, so many are looked at. */
const MOST = 64;

/**
 * What those say they were made on which wait behind a change of the same thing. Asked before that is made: they are here by now, so it is no part of
 * any of these versions.
 */
export async function versionsBehind(
  { backend, logger }: Context,
  { request, rules }: { readonly request: SentRequest; readonly rules: ResourceRules },
): Promise<readonly Version[]> {
  const { id, zone, lane, content } = request;
  if (lane === null || rules.version === undefined) return [];
  try {
    const filter = { lane, state: 'blocked' } as const;
    const { requests } = await backend.requests.find({ filter, order: 'accepted', after: null, limit: MOST });
    const thing = thingAt(content.path, request);
    return requests
      .filter((one) => one.effect !== 'read' && isJsonObject(one.base) && thingAt(one.content.path, one) === thing)
      .map((one) => ({ version: versionOf(one, rules), snapshot: one.base }));
  } catch (error) {
    logger.warn('what waits behind a change was not looked at', { id, zone, error: messageOf(error) });
    return [];
  }
}
