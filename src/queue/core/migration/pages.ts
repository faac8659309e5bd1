import type { StoredRequest } from '../../types/request.ts';
import type { RequestState } from '../../types/states.ts';
import type { RequestStore } from '../../types/store.ts';

/** Requests in these states in the order of acceptance, those included that are accepted meanwhile. */
export async function* pagesOf(
  store: RequestStore,
  state: readonly RequestState[],
  after: number | null,
  limit: number,
): AsyncGenerator<readonly StoredRequest[]> {
  for (let cursor = after; ; ) {
    const page = await store.find({ filter: { state }, order: 'accepted', after: cursor, limit });
    if (page.requests.length > 0) yield page.requests;
    if (page.next === null) return;
    cursor = page.next;
  }
}
