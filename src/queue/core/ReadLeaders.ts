import type { Clock } from '../../system/clock.ts';
import type { HttpResponse } from '../types/request.ts';
import type { Admitted } from './admit.ts';
import type { Entry } from './entry.ts';
import type { IntakeEvents } from './intakeEvents.ts';
import type { Placed } from './placeIndex.ts';
import type { ReadMemory } from './readJoins.ts';
import { ReadJoins, raised } from './readJoins.ts';
import type { SentRequest } from './sentRequest.ts';

/** Reads of this process that are not answered yet, each with the callers of identical ones behind it: whoever came first leads. */
export class ReadLeaders {
  readonly #clock: Clock;
  readonly #joins: ReadJoins;
  readonly #events: Pick<IntakeEvents, 'joined' | 'raised'>;
  readonly #leaders = new Map<string, Entry>();

  constructor(clock: Clock, memory: ReadMemory | undefined, events: Pick<IntakeEvents, 'joined' | 'raised'>) {
    this.#clock = clock;
    this.#joins = new ReadJoins(memory);
    this.#events = events;
  }

  /** Whether it is a read that ends with its callers, and is neither answered nor ended. */
  has(id: string): boolean {
    return this.#leaders.get(id)?.admitted?.request.ephemeral === true;
  }

  ids(): IterableIterator<string> {
    return this.#leaders.keys();
  }

  /** True where it was answered at once or joined an identical one; else it leads from now on, and is to be stored. */
  join(entry: Entry, admitted: Admitted, digest: string): boolean {
    if (this.#joins.serve(entry.submission, admitted)) return true;
    const { request, place, zone } = admitted;
    const leader = this.#leaderOf(digest);
    if (leader === undefined) {
      this.#leaders.set(request.id, entry);
      this.#joins.add({ id: request.id, digest, place, lane: request.lane, zone });
      return false;
    }
    const led = leader.admitted as Admitted; // a leader was admitted
    const patch = raised(led.request, request);
    if (patch !== undefined) {
      leader.admitted = { ...led, request: { ...led.request, ...patch.request } };
      this.#events.raised(led.request.id, patch.stored);
    }
    leader.submission.lead(entry.submission);
    this.#events.joined(admitted, { status: 'joined', id: leader.submission.id, seq: 0, state: 'ready' }, false);
    return true;
  }

  /** The read to join. One past its deadline may have ended elsewhere: nobody is to wait for what is over. */
  #leaderOf(digest: string): Entry | undefined {
    const id = this.#joins.find(digest);
    const leader = id === undefined ? undefined : this.#leaders.get(id);
    if (id === undefined || leader === undefined) return undefined;
    const { expiresAt } = (leader.admitted as Admitted).request; // a leader was admitted
    if (expiresAt === null || expiresAt > this.#clock.now()) return leader;
    this.forget(id);
    return undefined;
  }

  /** A write was accepted: no later read may join one of before. */
  closeFor(write: Placed): void {
    this.#joins.closeFor(write);
  }

  /** It has its answer, if there was one. */
  answered(read: SentRequest, answer: HttpResponse | undefined, isGood: boolean): void {
    this.#joins.answered(read, answer, isGood);
    this.forget(read.id);
  }

  /** It was answered or ended: it is joined no more. */
  forget(id: string): void {
    if (!this.#leaders.delete(id)) return;
    this.#joins.remove(id);
  }
}
