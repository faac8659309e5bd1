import { hasCondition } from '../../strategies/conditions.ts';
import { keysMethod } from '../../strategies/dialects.ts';
import type { BatchCandidate } from '../../types/batch.ts';
import type { Effect, RequestContent } from '../../types/request.ts';
import type { ZonePolicy } from '../zonePolicy.ts';
import type { GuardedAdapter } from './GuardedAdapter.ts';

interface Asked {
  readonly content: RequestContent;
  readonly effect: Effect;
}

/** What requests that may share a call of this adapter have alike; null for one that goes alone. */
export function keyFor(adapter: GuardedAdapter, policy: ZonePolicy, { content, effect }: Asked): string | null {
  const { fetch } = content;
  // An adapter knows nothing of redirect modes, integrity and the like.
  if (fetch !== undefined && Object.values(fetch).some((term) => term !== undefined)) return null;
  if (!adapter.carriesHeaders && needsHeaders(policy, content, effect)) return null;
  return adapter.key(candidateOf(content, effect));
}

/** The first adapter of the zone that takes a request. */
export function adapterFor(
  adapters: readonly GuardedAdapter[],
  policy: ZonePolicy,
  asked: Asked,
): GuardedAdapter | undefined {
  return adapters.find((adapter) => keyFor(adapter, policy, asked) !== null);
}

function candidateOf({ method, path, headers, body }: RequestContent, effect: Effect): BatchCandidate {
  return { method, path, headers, body, effect };
}

/** A write that goes with a key would lose what makes it safe to send again. */
function needsHeaders({ idempotency }: ZonePolicy, { method, headers }: RequestContent, effect: Effect): boolean {
  if (hasCondition(headers)) return true;
  if (effect === 'read') return false;
  if (idempotency !== undefined && keysMethod(idempotency, method)) return true;
  const keyHeader = idempotency?.header ?? 'idempotency-key';
  return headers.some(([name]) => name === keyHeader);
}
