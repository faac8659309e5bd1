import type { Sender, StoredRequest } from '../../types/request.ts';
import type { Reason } from '../../types/states.ts';
import type { Change, RequestStore } from '../../types/store.ts';

/** States in which nobody has a request in hand. */
export const MOVABLE = ['ready', 'scheduled', 'blocked', 'held'] as const;

/** What a request is apart from its fence. */
export interface Behind {
  /** Id of the store it is moved out of. */
  readonly store: string;
  /** Why it is held; null where it is not. */
  readonly reason: Reason | null;
  readonly sender: Sender;
}

const FENCED = /^client:\(moving\) (\S+) (\S+) (.*)$/s;
const NOT_HELD = '-';

/**
 * The sender of a request that is on its way from one store to another: a client that no process has, so that nobody is offered
 * the request, whatever becomes of its state. It says all that is needed to give the request back its sender, so that nothing has to be
 * written down elsewhere. A kind of sender of its own would be taken for anyone's by a process that does not know it.
 */
export function fenceOf({ store, reason, sender }: Behind): Sender {
  return `client:(moving) ${store} ${reason ?? NOT_HELD} ${sender}`;
}

/** What is behind the fence; undefined where there is none. */
export function readFence(sender: Sender): Behind | undefined {
  const [, store, reason, own] = FENCED.exec(sender) ?? [];
  if (store === undefined || reason === undefined || own === undefined) return undefined;
  return { store, reason: reason === NOT_HELD ? null : (reason as Reason), sender: own }; // as `fenceOf` wrote it
}

/** A request as it stands, as if there were no fence. */
export function unfenced(request: StoredRequest): StoredRequest {
  const behind = readFence(request.sender);
  if (behind === undefined) return request;
  const isSetAside = request.state === 'held' && request.reason === 'upgrade' && behind.reason !== null;
  return { ...request, sender: behind.sender, reason: isSetAside ? behind.reason : request.reason };
}

/**
 * Puts a fence round a request. What is held is held for another reason meanwhile: whoever gives back what waits for a credential
 * does so whoever may send it.
 */
export function fencing(request: StoredRequest, store: string): Change {
  const { id, sender, state, reason } = request;
  if (state !== 'held') {
    const patch = { sender: fenceOf({ store, reason: null, sender }) };
    return { id, from: ['ready', 'scheduled', 'blocked'], patch };
  }
  const patch = { sender: fenceOf({ store, reason, sender }) };
  return { id, from: ['held'], reason, to: { state: 'held', reason: 'upgrade' }, patch };
}

/** Takes the fences away: each request is as it was, or as it has become meanwhile. */
export async function lift(
  store: RequestStore,
  fenced: readonly { readonly id: string; readonly sender: Sender }[],
  now: number,
): Promise<void> {
  const behind = fenced.flatMap(({ id, sender }) => {
    const found = readFence(sender);
    return found === undefined ? [] : [{ id, ...found }];
  });
  if (behind.length === 0) return;
  const results = await store.amend({ now, changes: behind.map(lifting) });
  // No longer held, or for another reason since: it stays so, for whoever sent it before.
  const changed = behind.filter((_, index) => results[index]?.status === 'refused');
  if (changed.length === 0) return;
  await store.amend({ now, changes: changed.map(({ id, sender }) => ({ id, from: MOVABLE, patch: { sender } })) });
}

function lifting({ id, reason, sender }: Behind & { readonly id: string }): Change {
  const patch = { sender };
  if (reason === null) return { id, from: MOVABLE, patch };
  return { id, from: ['held'], reason: 'upgrade', to: { state: 'held', reason }, patch };
}
