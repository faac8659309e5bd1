import type { RequestOptions } from '../types/calls.ts';
import type { Effect, FetchTerms, Intent, NewRequest, Reference } from '../types/request.ts';

/** What a replay keeps of its dead letter. */
export interface Replay {
  readonly of: string;
  readonly idempotencyKey: string;
  /** Lane key as stored. */
  readonly lane: string | null;
  readonly auth: NewRequest['auth'];
  readonly client: string | null;
  readonly fetch: FetchTerms | undefined;
  readonly intent: Intent | undefined;
  /** What it waits for among those that are replayed with it. */
  readonly after: readonly string[];
  /** As recorded; those that are bound by now are replaced when it is sent. */
  readonly refs: readonly Reference[];
}

const NOTHING_DECLARED = Object.freeze({});

/** What is declared beside the call: absent where nothing is. */
export function declared(
  { localId, yields, onUnknown, resource, onFailure }: RequestOptions,
  effect: Effect,
  replay: Replay | undefined,
): Pick<NewRequest, 'onFailure' | 'intent'> {
  const policy = onFailure ?? (effect === 'create' ? 'cascade' : 'continue');
  const isNone = localId === undefined && yields === undefined && onUnknown === undefined && resource === undefined;
  if (isNone && policy === 'continue' && replay === undefined) return NOTHING_DECLARED;
  const intent = isNone
    ? replay?.intent
    : {
        ...(resource !== undefined && { resource }),
        ...(localId !== undefined && { localId }),
        ...(yields !== undefined && { yields }),
        ...(onUnknown !== undefined && { onUnknown }),
      };
  return { ...(policy !== 'continue' && { onFailure: policy }), ...(intent !== undefined && { intent }) };
}
