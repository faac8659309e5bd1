import { isHarmless } from '../../strategies/effect.ts';
import type { Attempt } from '../../types/request.ts';
import type { RequestStore } from '../../types/store.ts';
import type { SentRequest } from '../sentRequest.ts';

const PAGE = 100;

/**
 * The origin a request has to be sent to, whatever else its zone fails over to; undefined where it may go anywhere. It is pinned
 * by what was sent of it before and may have been applied there, unless another send of that is harmless; and by the one before it
 * in its lane, as long as the lane was never empty in between: what one zone was told, the other may not know yet.
 */
export async function pinOf(request: SentRequest, store: RequestStore): Promise<string | undefined> {
  const { progress, effect, lane } = request;
  if (progress.unresolved && !isHarmless(effect, false)) return sentTo(progress.attempts);
  if (lane === null) return undefined;
  const before = await lastBefore(request, lane, store);
  if (before === undefined || before.endedAt === null || before.endedAt <= request.acceptedAt) return undefined;
  return sentTo(before.progress.attempts);
}

/** The latest of its lane that ended before it. */
async function lastBefore({ id }: SentRequest, lane: string, store: RequestStore) {
  let last: Awaited<ReturnType<RequestStore['find']>>['requests'][number] | undefined;
  for (let after: number | null = null; ; ) {
    const page = await store.find({ filter: { lane }, order: 'accepted', after, limit: PAGE });
    for (const one of page.requests) {
      if (one.id === id) return last;
      if (one.progress.attempts.length > 0) last = one;
    }
    if (page.next === null) return last;
    after = page.next;
  }
}

/** Where an attempt may have reached the server last. */
function sentTo(attempts: readonly Attempt[]): string | undefined {
  return attempts.findLast(({ phase }) => phase !== 'notSent')?.origin;
}
