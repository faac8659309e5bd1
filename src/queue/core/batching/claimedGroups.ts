import { foldBatches } from '../../strategies/batching/foldBatches.ts';
import { goesAlone } from '../../strategies/batching/goesAlone.ts';
import type { StoredRequest } from '../../types/request.ts';
import type { FetchCallers } from '../fetchCallers.ts';
import type { ZonePolicy } from '../zonePolicy.ts';
import type { Batching } from './Batching.ts';
import { keyFor } from './membership.ts';

/**
 * Claimed requests by the calls they go in, each group in the order of ranks. Those that share one have the key of their adapter and all
 * that their credentials come from in common.
 */
export function claimedGroups(
  requests: readonly StoredRequest[],
  { adapter, size }: Batching,
  policy: ZonePolicy,
  fetchCallers: FetchCallers,
): StoredRequest[][] {
  const sorted = requests.toSorted((a, b) => a.rank - b.rank || a.seq - b.seq);
  // Most are of one key and one principal: what they have in common is written down once.
  let last: readonly unknown[] = [];
  let written = '';
  const foldable = sorted.map((request) => {
    const caller = fetchCallers.of(request.id);
    // Its answer is taken from the wire, its caller has a way of its own there, or it came to nothing among others.
    const isApart = caller?.streams === true || caller?.dispatcher !== undefined || goesAlone(request.progress);
    const key = isApart ? null : keyFor(adapter, policy, request);
    const { principal, client, auth } = request;
    const common = [key, principal, client, auth];
    if (common.some((term, index) => term !== last[index])) written = JSON.stringify(common);
    last = common;
    return { request, bytes: request.bytes, key: key === null ? null : written };
  });
  const limits = { items: size.size, bytes: adapter.maxBytes };
  return foldBatches(foldable, limits).map((batch) => batch.map(({ request }) => request));
}
