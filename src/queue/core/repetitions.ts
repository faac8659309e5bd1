import { HoldfastError } from '../../errors.ts';
import type { Body, NewRequest, StoredRequest } from '../types/request.ts';
import type { RequestState } from '../types/states.ts';
import type { RequestStore } from '../types/store.ts';
import { withServerIds } from './references.ts';

/** What was made for a local id before. */
export interface Repetition {
  readonly id: string;
  readonly seq: number;
  readonly state: RequestState;
}

/**
 * Whether a request with a local id repeats one that was accepted: a local id stands for one thing, so its creation is joined when it is made again, as with
 * a key, and another one is refused.
 */
export async function repetitionOf(
  requests: RequestStore,
  request: NewRequest,
): Promise<{ readonly repeats?: Repetition; readonly refusal?: HoldfastError }> {
  const localId = request.intent?.localId ?? '';
  const [record] = await requests.get({ ids: [request.id] });
  if (record === undefined) {
    // What it made may be known for longer than the request.
    const [binding] = await requests.bindings({ localIds: [localId] });
    return binding === undefined ? {} : { refusal: taken(request, localId) };
  }
  if (!isSame(await withServerIds(requests, record), request)) return { refusal: taken(request, localId) };
  return { repeats: { id: record.id, seq: record.seq, state: record.state } };
}

/** Why a request cannot be accepted as it is while another of its local id is on its way to the store. */
export function otherOfLocalId(
  { request, repeats }: { readonly request: NewRequest; readonly repeats?: Repetition | undefined },
  before: readonly { readonly admission: { readonly id: string } }[],
): HoldfastError | undefined {
  const localId = request.intent?.localId;
  const isMade =
    localId !== undefined && repeats === undefined && before.some((one) => one.admission.id === request.id);
  return isMade ? taken(request, localId) : undefined;
}

function taken({ content }: Pick<NewRequest, 'content'>, localId: string): HoldfastError<'KEY_CONFLICT'> {
  const what = `${content.method} ${content.path} was not accepted`;
  return new HoldfastError('KEY_CONFLICT', `${what}: ${localId} stands for what another request makes`, {
    key: localId,
  });
}

function isSame(record: StoredRequest, request: NewRequest): boolean {
  const { method, path, body } = record.content;
  return (
    record.zone === request.zone &&
    record.principal === request.principal &&
    method === request.content.method &&
    path === request.content.path &&
    isSameBody(body, request.content.body)
  );
}

function isSameBody(one: Body, other: Body): boolean {
  if (one === null || other === null) return one === other;
  return Buffer.from(one as Uint8Array).equals(Buffer.from(other as Uint8Array)); // a text is taken as UTF-8
}
