import type { ProbeFunction, QueueOptions } from '../../../src/queue/core/config/options.ts';
import { byNaturalKey } from '../../../src/queue/core/probeKits/byNaturalKey.ts';
import { byStamp, stampOf } from '../../../src/queue/core/probeKits/byStamp.ts';
import { byResource } from '../../../src/queue/core/probes.ts';
import { jsonOf } from '../../../src/queue/strategies/json.ts';
import { valueAt } from '../../../src/queue/strategies/jsonPointer.ts';
import type { StoredRequest } from '../../../src/queue/types/request.ts';
import { TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';
import type { Flavour } from './scenario.ts';

const DAY_MS = 24 * 3_600_000;

/** A field that both sides changed: the color is the app's, the size is the server's, a title is for a person to decide. */
export const MERGED_FIELDS = { color: 'local', size: 'remote' } as const;

/** Field with the id of the request that made a thing, where the app knew it beforehand. */
export const STAMP = 'stamp';
/** Field that no two things share. */
export const MARK = 'mark';

const stamped = byStamp({ field: STAMP, path: ({ content }, stamp) => `${content.path}?${STAMP}=${stamp}` });
const marked = byNaturalKey({ match: [MARK], path: (request) => `${request.content.path}?${MARK}=${markOf(request)}` });

/** What was made is looked for by its stamp, else by its mark; what was changed, by reading it. */
export const probe: ProbeFunction = (context) => {
  const { request } = context;
  if (request.content.method !== 'POST') return byResource(context);
  return fieldOf(request, STAMP) === stampOf(request) ? stamped(context) : marked(context);
};

/** The queue of a run. Everything is kept that long, to be judged. */
export function configOf(flavour: Flavour): Omit<QueueOptions, 'backend'> {
  const api = {
    origins: [TEST_ORIGIN],
    ...(flavour === 'keyed' && { idempotency: 'ietf' as const }),
    ...((flavour === 'probed' || flavour === 'conditional') && { probe }),
  };
  return { zones: { api }, retention: { succeededMs: 30 * DAY_MS } };
}

function markOf(request: StoredRequest): string {
  return String(fieldOf(request, MARK));
}

function fieldOf({ content }: StoredRequest, field: string): unknown {
  const body = jsonOf(content.body);
  return body === undefined ? undefined : valueAt(body, `/${field}`);
}
