import type { NewRequest } from '../types/request.ts';
import type { RequestPatch } from '../types/store.ts';
import type { Context } from './context.ts';
import { messageOf } from './tell.ts';

/** What a read is known by while it may be joined. */
export interface JoinableRead {
  readonly id: string;
  /** Canonical digest of the whole request. */
  readonly digest: string;
  /** Zone and path without query. */
  readonly place: string;
  readonly lane: string | null;
}

/**
 * Reads of this process that are waiting or in flight. An identical read joins one, unless a write to its path or lane
 * was accepted after it. Reads of other processes are not joined: their answers are not at hand.
 */
export class ReadJoins {
  readonly #byDigest = new Map<string, JoinableRead>();
  readonly #byId = new Map<string, JoinableRead>();
  readonly #byPlace = new Map<string, Set<JoinableRead>>();

  find(digest: string): string | undefined {
    return this.#byDigest.get(digest)?.id;
  }

  add(read: JoinableRead): void {
    this.#byDigest.set(read.digest, read);
    this.#byId.set(read.id, read);
    for (const place of placesOf(read)) {
      const reads = this.#byPlace.get(place);
      if (reads === undefined) this.#byPlace.set(place, new Set([read]));
      else reads.add(read);
    }
  }

  /** A write was accepted: no later read may join one of before. */
  closeFor(write: { readonly place: string; readonly lane: string | null }): void {
    if (this.#byId.size === 0) return;
    for (const place of placesOf(write)) {
      for (const read of this.#byPlace.get(place) ?? []) this.remove(read.id);
    }
  }

  remove(id: string): void {
    const read = this.#byId.get(id);
    if (read === undefined) return;
    this.#byId.delete(id);
    if (this.#byDigest.get(read.digest) === read) this.#byDigest.delete(read.digest);
    for (const place of placesOf(read)) {
      const reads = this.#byPlace.get(place);
      reads?.delete(read);
      if (reads?.size === 0) this.#byPlace.delete(place);
    }
  }
}

function placesOf(request: { readonly place: string; readonly lane: string | null }): string[] {
  return request.lane === null ? [`path ${request.place}`] : [`path ${request.place}`, `lane ${request.lane}`];
}

/**
 * What changes of a read that another one joins: the better priority and rank, the later deadline (DESIGN "Dedupe"). Undefined when
 * nothing does. `request` is the change of one not stored yet, `stored` the same as a patch.
 */
export function raised(
  led: NewRequest,
  joiner: NewRequest,
): { readonly request: Partial<NewRequest>; readonly stored: RequestPatch } | undefined {
  const priority = Math.max(led.priority, joiner.priority);
  const expiresAt =
    led.expiresAt === null || joiner.expiresAt === null ? null : Math.max(led.expiresAt, joiner.expiresAt);
  const isSooner = led.rank.form === 'value' && joiner.rank.form === 'value' && joiner.rank.value < led.rank.value;
  const rank = isSooner ? joiner.rank : led.rank;
  if (priority === led.priority && expiresAt === led.expiresAt && !isSooner) return undefined;
  const stored = { priority, expiresAt, ...(rank.form === 'value' ? { rank: rank.value } : undefined) };
  return { request: { priority, expiresAt, rank }, stored };
}

/** Raises a read that waits. The store refuses it for one that is being sent, and for one not stored yet: both are as they should be. */
export function raiseStored(context: Context, id: string, patch: RequestPatch): void {
  const { backend, clock, logger } = context;
  const changes = [{ id, from: ['ready', 'scheduled', 'blocked'] as const, patch }];
  backend.requests.amend({ now: clock.now(), changes }).catch((error: unknown) => {
    logger.warn('a joined read was not raised', { id, error: messageOf(error) });
  });
}
