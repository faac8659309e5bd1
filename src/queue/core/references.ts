import type { Problem } from '../../errors.ts';
import { materialise, parseLocalId, referencesIn } from '../strategies/localId.ts';
import type { RequestOptions } from '../types/calls.ts';
import type { HeaderList, Reference, RequestContent, StoredRequest } from '../types/request.ts';
import type { RequestStore } from '../types/store.ts';
import { entityPath } from './bindings.ts';
import type { Context } from './context.ts';
import { invalidRequest } from './target.ts';

/** What a new request refers to. */
export interface References {
  /** With the server ids that are known put in. */
  readonly content: Pick<RequestContent, 'path' | 'body'>;
  /** Those whose server id is not known yet, and that of the entity it is about, by which the version is known that it is based on. */
  readonly refs: readonly Reference[];
  /** Ids of the requests that will give them. */
  readonly after: readonly string[];
  /** The lane that a local id names which has been bound: that of the server's id, which all others use by now. Undefined for any other. */
  readonly lane: string | undefined;
}

/** Replays of replays are followed so far. */
const MAX_REPLAYS = 10;
/** Changes of one thing before it was sent are followed so far. */
const MAX_CHANGES = 1_000;
const LIVE = ['ready', 'scheduled', 'blocked', 'sending', 'unknown', 'held'] as const;
const PAGE = 100;

/**
 * Finds the local ids in a request that is to be accepted, and what is known of them: one that is bound is replaced at once, the request that
 * binds another becomes a predecessor. Whether there is such a request is decided by the store, where it is accepted after it.
 *
 * @throws REQUEST_INVALID for a local id in a place where it could not be replaced, and for one that stands for the request itself
 */
export async function findReferences(
  context: Context,
  content: { readonly path: string; readonly headers: HeaderList; readonly body: RequestContent['body'] },
  { localId: own, lane }: Pick<RequestOptions, 'localId' | 'lane'>,
): Promise<References> {
  const problems: Problem[] = [];
  const refs = referencesIn(content, problems);
  if (refs.some(({ localId }) => localId === own)) {
    problems.push({ path: 'localId', expected: 'one that its own request does not contain', got: 'a cycle' });
  }
  if (problems.length > 0) throw invalidRequest(problems);
  const { requests } = context.backend;
  const serverIds = await serverIdsOf(requests, refs);
  const open = refs.filter(({ localId }) => !serverIds.has(localId));
  return {
    content: materialise({ method: '', ...content }, refs, serverIds),
    refs: refs.filter(({ at, localId }) => at === '/path' || !serverIds.has(localId)),
    after: await makersOf(requests, open),
    lane: typeof lane === 'string' && lane !== own ? await laneOfBound(requests, lane) : undefined,
  };
}

async function laneOfBound(requests: RequestStore, localId: string): Promise<string | undefined> {
  if (parseLocalId(localId) === undefined) return undefined;
  const [binding] = await requests.bindings({ localIds: [localId] });
  const [maker] = binding === undefined ? [] : await requests.get({ ids: [binding.requestId] });
  if (binding === undefined || maker === undefined) return undefined;
  return entityPath((await withServerIds(requests, maker)).content.path, binding.serverId);
}

/** Ids of the requests that will give the ids that are not known yet. */
export async function openMakers(requests: RequestStore, refs: readonly Reference[]): Promise<readonly string[]> {
  const serverIds = await serverIdsOf(requests, refs);
  return makersOf(
    requests,
    refs.filter(({ localId }) => !serverIds.has(localId)),
  );
}

/** The same requests, by those that took the place of some of them before they were sent; undefined where none did. */
export async function standIns(requests: RequestStore, ids: readonly string[]): Promise<readonly string[] | undefined> {
  const present = await Promise.all(ids.map((id) => standInOf(requests, id)));
  return present.every((id, index) => id === ids[index]) ? undefined : [...new Set(present)];
}

async function standInOf(requests: RequestStore, id: string): Promise<string> {
  let present = id;
  for (let left = MAX_CHANGES; left > 0; left -= 1) {
    const [record] = await requests.get({ ids: [present] });
    if (record?.reason !== 'squashed' || record.replayedAs === null) break;
    present = record.replayedAs;
  }
  return present;
}

function makersOf(requests: RequestStore, refs: readonly Reference[]): Promise<string[]> {
  return Promise.all([...new Set(refs.map(({ localId }) => localId))].map((localId) => makerOf(requests, localId)));
}

/**
 * A request that was sent, as it was sent: with server ids in the place of local ones. Where its process died meanwhile, the store has it still as it was
 * accepted.
 */
export async function withServerIds(requests: RequestStore, request: StoredRequest): Promise<StoredRequest> {
  const { content, refs } = request;
  if (refs.length === 0) return request;
  return { ...request, content: materialise(content, refs, await serverIdsOf(requests, refs)) };
}

/** The server ids that are known of those that are referred to. */
async function serverIdsOf(requests: RequestStore, refs: readonly Reference[]): Promise<Map<string, string | number>> {
  const localIds = [...new Set(refs.map(({ localId }) => localId))];
  const bindings = localIds.length === 0 ? [] : await requests.bindings({ localIds });
  const known = new Map<string, string | number>();
  for (const binding of bindings) if (binding !== undefined) known.set(binding.localId, binding.serverId);
  return known;
}

/**
 * Id of the request that binds a local id: the one it names, or what stands in for that by now. Both are of one lane.
 *
 * @throws REQUEST_INVALID where it was taken back before it was sent
 */
async function makerOf(requests: RequestStore, localId: string): Promise<string> {
  const { requestId = '' } = parseLocalId(localId) ?? {};
  let [record] = await requests.get({ ids: [requestId] });
  // What it was at first may be forgotten while what it became waits still: rare enough for a look at all that waits.
  if (record == null) return (await makerIn(requests, {}, localId)) ?? requestId;
  if (record.replayedAs === null) return requestId;
  const inLane = record.lane === null ? undefined : await makerIn(requests, { lane: record.lane }, localId);
  if (inLane !== undefined) return inLane;
  let id = requestId;
  for (let left = MAX_REPLAYS; left > 0 && record?.replayedAs != null; left -= 1) {
    id = record.replayedAs;
    [record] = await requests.get({ ids: [id] });
  }
  if (record?.state === 'succeeded' && record.intent?.localId !== localId) {
    const expected = 'a local id of what is or will be made';
    throw invalidRequest([{ path: 'request', expected, got: `${localId}, which was taken back before it was sent` }]);
  }
  return id;
}

/** However often it was changed before it was sent: only one that lives is to bind it. */
async function makerIn(
  requests: RequestStore,
  where: { readonly lane?: string },
  localId: string,
): Promise<string | undefined> {
  for (let after: number | null = null; ; ) {
    const filter = { ...where, state: LIVE };
    const page = await requests.find({ filter, order: 'accepted', after, limit: PAGE });
    const maker = page.requests.find(({ intent }) => intent?.localId === localId);
    if (maker !== undefined || page.next === null) return maker?.id;
    after = page.next;
  }
}
