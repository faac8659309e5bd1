import type { Instruction, NewRequest, StoredRequest } from '../../types/request.ts';
import { fenceOf, unfenced } from './fence.ts';

/**
 * A request as another store takes it: with its id, its rank and all that became of it, behind the fence of the store it
 * comes from. `after` is what it still waits for.
 */
export function carriedOver(request: StoredRequest, store: string, after: readonly string[]): NewRequest {
  const { state, reason, sender, ...all } = unfenced(request);
  const { dueAt, firstSentAt, progress, callers, result, told, rank } = all;
  const isHeld = state === 'held';
  return {
    ...contentOf(request),
    sender: fenceOf({ store, reason: isHeld ? reason : null, sender }),
    after,
    join: { rule: 'none' },
    rank: { form: 'value', value: rank },
    carried: {
      isHeld,
      reason: isHeld ? 'upgrade' : state === 'blocked' ? 'accepted' : reason,
      dueAt,
      // Not the counter itself, which nobody but the store knows: what attempts are numbered by.
      token: progress.attempts.at(-1)?.n ?? 0,
      firstSentAt,
      progress,
      callers,
      result,
      told,
    },
  };
}

/** What was accepted, without what became of it. */
function contentOf(request: StoredRequest): Omit<NewRequest, 'rank' | Instruction> {
  const { id, zone, channel, sender, ephemeral, content, effect, harmless, lane, after, refs, principal } = request;
  const { auth, client, key, fingerprint, digest, idempotencyKey, base, priority, notBefore, expiresAt } = request;
  const { acceptedAt, trace, tags, durable, replayOf, bytes, onFailure, intent } = request;
  return {
    id,
    zone,
    channel,
    sender,
    ephemeral,
    content,
    effect,
    harmless,
    lane,
    after,
    refs,
    principal,
    auth,
    client,
    key,
    fingerprint,
    digest,
    idempotencyKey,
    base,
    priority,
    notBefore,
    expiresAt,
    acceptedAt,
    trace,
    tags,
    durable,
    replayOf,
    bytes,
    ...(onFailure !== undefined && { onFailure }),
    ...(intent !== undefined && { intent }),
  };
}
