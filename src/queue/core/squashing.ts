import type { HoldfastError } from '../../errors.ts';
import { isHarmless } from '../strategies/effect.ts';
import { textOf } from '../strategies/json.ts';
import type { Squashed } from '../strategies/squash.ts';
import { squash } from '../strategies/squash.ts';
import type { NewRequest, Reference, StoredRequest } from '../types/request.ts';
import type { RequestStore } from '../types/store.ts';
import type { Resources } from './resources.ts';
import { invalidRequest } from './target.ts';

/** What is offered to the store, and what is stored where that cannot be. */
export interface Squashing {
  readonly request: NewRequest;
  readonly otherwise?: NewRequest | undefined;
  /** Why it cannot be accepted, if what was found in its lane is all there is. */
  readonly refusal?: HoldfastError | undefined;
}

const LIVE = ['ready', 'scheduled', 'blocked', 'sending', 'unknown', 'held'] as const;
const WAITING: readonly string[] = ['ready', 'scheduled', 'blocked'];
const PAGE = 100;
const DONE = Object.freeze({ status: 204, headers: Object.freeze([]), body: new Uint8Array(0) });

/**
 * A new request of a resource, as what it makes of the last one of its lane where both can be one. Whether nothing of that one
 * was sent by then is for the store to say, when it takes its place.
 *
 * Refused (REQUEST_INVALID) are a second creation of a thing, and a change of one that is to be deleted.
 *
 * @throws REQUEST_INVALID for a resource that this queue does not have
 */
export async function squashed(request: NewRequest, store: RequestStore, resources: Resources): Promise<Squashing> {
  const name = request.intent?.resource;
  if (name === undefined) return { request };
  const rules = resources.named(name);
  if (rules === undefined) {
    throw invalidRequest([{ path: 'resource', expected: 'the name of a resource of this queue', got: name }]);
  }
  const { lane, effect, key } = request;
  if (rules.squash !== true || lane === null || effect === 'read' || key !== null) return { request };
  const tail = await lastOf(store, lane);
  if (tail === undefined || !isReplaceable(tail, request)) return { request };
  const both = squash(tail, request);
  switch (both.act) {
    case 'keepBoth':
      return { request };
    case 'annihilate': {
      // It names what is never made: nothing is to wait for that, itself included.
      const after = request.after.filter((id) => id !== tail.id);
      return { request: { ...request, after, replaces: { id: tail.id, result: DONE } }, otherwise: request };
    }
    case 'merge':
      return { request: mergedInto(request, tail, both), otherwise: request };
    case 'refuse': {
      const got = both.why === 'exists' ? 'one that is to be made already' : 'one that is to be deleted';
      const refusal = invalidRequest([{ path: 'request', expected: `another state of ${request.content.path}`, got }]);
      return { request, refusal };
    }
    default:
      return both satisfies never;
  }
}

/** Of a batch all or none are accepted: what one of it would replace may be gone by then, which is no reason to refuse the others. */
export function asItself<T extends Squashing>(squashing: T): T {
  const { otherwise } = squashing;
  return otherwise === undefined ? squashing : { ...squashing, request: otherwise, otherwise: undefined };
}

async function lastOf(store: RequestStore, lane: string): Promise<StoredRequest | undefined> {
  let last: StoredRequest | undefined;
  for (let after: number | null = null; ; ) {
    const page = await store.find({ filter: { lane, state: LIVE }, order: 'accepted', after, limit: PAGE });
    last = page.requests.at(-1) ?? last;
    if (page.next === null) return last;
    after = page.next;
  }
}

/** Nothing of it was sent, and it would be sent as the newcomer: by the same process, with the same credential. */
function isReplaceable(tail: StoredRequest, newcomer: NewRequest): boolean {
  return (
    WAITING.includes(tail.state) &&
    tail.firstSentAt === null &&
    tail.key === null &&
    tail.intent?.resource === newcomer.intent?.resource &&
    tail.principal === newcomer.principal &&
    tail.sender === newcomer.sender &&
    tail.auth === newcomer.auth &&
    tail.client === newcomer.client
  );
}

function mergedInto(
  newcomer: NewRequest,
  tail: StoredRequest,
  { content, effect, base, intent }: Extract<Squashed, { act: 'merge' }>,
): NewRequest {
  const { onFailure: _, ...rest } = newcomer;
  const refs = refsOf([tail, newcomer], content);
  const onFailure = effect === tail.effect ? tail.onFailure : newcomer.onFailure;
  const size = content.body === null ? 0 : Buffer.byteLength(content.body);
  return {
    ...rest,
    content,
    effect,
    base,
    harmless: isHarmless(effect, false),
    refs,
    after: [...new Set([...tail.after, ...newcomer.after])].filter((id) => id !== tail.id),
    fingerprint: null,
    digest: null,
    join: { rule: 'none' },
    notBefore: laterOf(tail.notBefore, newcomer.notBefore),
    expiresAt:
      tail.expiresAt === null || newcomer.expiresAt === null ? null : Math.max(tail.expiresAt, newcomer.expiresAt),
    tags: [...new Set([...tail.tags, ...newcomer.tags])],
    durable: tail.durable || newcomer.durable,
    bytes: size + content.path.length,
    replaces: { id: tail.id },
    ...(onFailure !== undefined && { onFailure }),
    ...(intent !== undefined && { intent }),
  };
}

/** Those that the content of both still has. That of the entity counts where the path is the same, though it may have its server id by now. */
function refsOf(
  both: readonly Pick<NewRequest, 'refs' | 'content'>[],
  { path, body }: NewRequest['content'],
): Reference[] {
  const seen = new Set<string>();
  return both.flatMap(({ refs, content }) =>
    refs.filter(({ at, localId }) => {
      const name = `${at} ${localId}`;
      const isThere = at.startsWith('/body') ? textOf(body)?.includes(localId) === true : content.path === path;
      if (!isThere || seen.has(name)) return false;
      seen.add(name);
      return true;
    }),
  );
}

function laterOf(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
