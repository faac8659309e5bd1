import type { HttpResponse, NewRequest, RankForm, RequestContent } from '../types/request.ts';
import type { RequestPatch } from '../types/store.ts';
import type { Admitted } from './admit.ts';
import type { Context } from './context.ts';
import type { Placed } from './placeIndex.ts';
import { PlaceIndex } from './placeIndex.ts';
import type { Submission } from './submission.ts';
import { messageOf } from './tell.ts';
import type { Zone } from './zone.ts';

/** What a read is known by while it may be joined. */
export interface JoinableRead extends Placed {
  readonly id: string;
  /** Canonical digest of the whole request. */
  readonly digest: string;
  readonly zone: Zone;
}

/** Answers of reads, beyond the read itself. */
export interface ReadMemory {
  /** A read that could have been joined until now has its answer. */
  answered(read: JoinableRead, content: RequestContent, answer: HttpResponse, isGood: boolean): void;
  /** Answers a read without sending it. False where it is to be sent. */
  serve(submission: Submission, admitted: Admitted): boolean;
  closeFor(write: Placed): void;
}

/**
 * Reads of this process that are waiting or in flight. An identical read joins one, unless a write to its path or lane
 * was accepted after it. Reads of other processes are not joined: their answers are not at hand.
 */
export class ReadJoins {
  readonly #byDigest = new Map<string, JoinableRead>();
  readonly #byId = new Map<string, JoinableRead>();
  readonly #byPlace = new PlaceIndex<JoinableRead>();
  readonly #memory: ReadMemory | undefined;

  constructor(memory?: ReadMemory) {
    this.#memory = memory;
  }

  find(digest: string): string | undefined {
    return this.#byDigest.get(digest)?.id;
  }

  add(read: JoinableRead): void {
    this.#byDigest.set(read.digest, read);
    this.#byId.set(read.id, read);
    this.#byPlace.add(read);
  }

  /** Answers it at once where it is to be neither joined nor sent. */
  serve(submission: Submission, admitted: Admitted): boolean {
    return this.#memory?.serve(submission, admitted) === true;
  }

  /** It has its answer, which others may be given later, unless a write came after it. */
  answered(
    { id, content }: { readonly id: string; readonly content: RequestContent },
    answer: HttpResponse | undefined,
    isGood: boolean,
  ): void {
    const read = this.#memory === undefined ? undefined : this.#byId.get(id);
    if (read !== undefined && answer !== undefined) this.#memory?.answered(read, content, answer, isGood);
  }

  /** A write was accepted: no later read may join one of before. */
  closeFor(write: Placed): void {
    this.#memory?.closeFor(write);
    if (this.#byId.size === 0) return;
    for (const read of this.#byPlace.changedBy(write)) this.remove(read.id);
  }

  remove(id: string): void {
    const read = this.#byId.get(id);
    if (read === undefined) return;
    this.#byId.delete(id);
    if (this.#byDigest.get(read.digest) === read) this.#byDigest.delete(read.digest);
    this.#byPlace.remove(read);
  }
}

/**
 * What changes of a read that another one joins: the better priority and rank, the later deadline. Undefined when
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
  const raise = isSooner || isOfAnotherFlow(led.rank, joiner.rank) ? joiner.rank : undefined;
  if (priority === led.priority && expiresAt === led.expiresAt && raise === undefined) return undefined;
  const stored = { priority, expiresAt, ...(raise !== undefined && raise.form !== 'negatedSeq' && { raise }) };
  return { request: { priority, expiresAt, rank: isSooner ? joiner.rank : led.rank }, stored };
}

/** Whether only the store can tell whose turn comes first. */
function isOfAnotherFlow(led: RankForm, joiner: RankForm): boolean {
  return led.form === 'flow' && joiner.form === 'flow' && (led.flow !== joiner.flow || led.group !== joiner.group);
}

/** Raises a read that waits. The store refuses it for one that is being sent, and for one not stored yet: both are as they should be. */
export function raiseStored(context: Context, id: string, patch: RequestPatch): void {
  const { backend, clock, logger } = context;
  const changes = [{ id, from: ['ready', 'scheduled', 'blocked'] as const, patch }];
  backend.requests.amend({ now: clock.now(), changes }).catch((error: unknown) => {
    logger.warn('a joined read was not raised', { id, error: messageOf(error) });
  });
}
