import { joinQuery } from '../../strategies/headers.ts';
import { headerValue } from '../../strategies/headerValue.ts';
import type { BatchCall, BatchMember } from '../../types/batch.ts';
import type { HeaderList } from '../../types/request.ts';
import type { TransportCall } from '../../types/transport.ts';
import type { Arrival } from '../called.ts';
import type { SentRequest } from '../sentRequest.ts';
import { ownHeaders, USER_AGENT } from '../wire.ts';
import type { GuardedAdapter } from './GuardedAdapter.ts';
import { keyFor } from './membership.ts';

/** They speak of the call, or of all its members alike. */
const OF_CALL: ReadonlySet<string> = new Set(['accept-encoding', 'user-agent', 'date']);

/** A request as a part of a call. */
export function memberOf({ calling: { request, permit }, volatile }: Arrival): BatchMember {
  const { id, effect, content } = request;
  const { method, path, body } = content;
  const { headers: stored, keys } = ownHeaders(request, permit.via.zone.policy);
  const headers = [...stored, ...volatile, ...keys].filter(([name]) => !OF_CALL.has(name));
  return { id, method, path, headers, body, effect };
}

/**
 * By what requests of a group may share a call as they are now: what was prepared since they were claimed may have changed that. Null:
 * it goes alone. Their credentials stand on the call, so they have the same.
 */
export function togetherBy(adapter: GuardedAdapter, { calling: { request, permit }, secret }: Arrival): string | null {
  const key = keyFor(adapter, permit.via.zone.policy, request);
  return key === null ? null : JSON.stringify([key, request.principal, secret.headers, secret.query]);
}

/** Whether nothing was prepared, and nobody has a credential, since they were put together: then they still belong together. */
export function isAsClaimed(
  ready: readonly { readonly arrival: Arrival }[],
  claimed: ReadonlySet<SentRequest>,
): boolean {
  return ready.every(({ arrival: { calling, secret } }) => {
    return claimed.has(calling.request) && secret.headers.length === 0 && secret.query === '';
  });
}

/** The call for all of them, with what they have in common. At least one. */
export function wholeCall(
  given: BatchCall,
  arrivals: readonly Arrival[],
  signal: AbortSignal | undefined,
): TransportCall {
  const [first] = arrivals as readonly [Arrival, ...Arrival[]]; // at least one
  const { secret, volatile, calling } = first;
  const headers: (readonly [string, string])[] = given.headers.map(([name, value]) => [name.toLowerCase(), value]);
  const own = [...calling.request.content.headers, ...volatile, ...secret.headers];
  const agent = headerValue(own, 'user-agent') ?? USER_AGENT;
  const shared: HeaderList = [...secret.headers, ['user-agent', agent]];
  for (const [name, value] of shared) {
    if (headerValue(given.headers, name.toLowerCase()) === undefined) headers.push([name, value]);
  }
  return {
    origin: calling.permit.via.zone.policy.origin,
    method: given.method,
    path: joinQuery(given.path, secret.query),
    headers,
    body: given.body,
    timeoutMs: Math.max(...arrivals.map(({ timeoutMs }) => timeoutMs)),
    signal,
  };
}
