import type { ProcessLimit } from '../bulkhead.ts';

/** A zone, as its turns see it. */
export interface TurnZone {
  readonly policy: { readonly weight: number };
  /** Its own time: grows by 1 / weight with each permit. */
  turn: number;
  /** The round in which it was met last. */
  round: number;
  /** How many permits it could use in that round, and how many of those it may still take. */
  want: number;
  grant: number;
}

/**
 * Which zones get the permits of the process where there are not enough for all: in proportion to their weights, by start-time fair
 * queueing. Each zone has a time of its own, and the one furthest behind is next; one that wanted nothing meanwhile is not behind, it begins at
 * the time of the others. What is kept is a few numbers per zone, and a round allocates nothing per channel.
 */
export class ZoneTurns {
  readonly #process: ProcessLimit;
  /** Where the zones are that wait: the time at which the latest permit was taken. */
  #now = 0;
  #round = 0;
  /**
   * Zones of this round, and those of them that may be given more, as a heap by their time. How many count is told beside: an array that is
   * emptied is made anew.
   */
  readonly #met: TurnZone[] = [];
  #metSize = 0;
  readonly #heap: TurnZone[] = [];
  #heapSize = 0;
  #isContended = false;
  #isSharing = false;

  constructor(process: ProcessLimit) {
    this.#process = process;
  }

  /** Calls that wait want more than the process may make: nobody goes past them. */
  get isContended(): boolean {
    return this.#isContended || this.#process.sleepers.size > 0;
  }

  /** Nothing wants to be asked. */
  rest(): void {
    this.#isContended = false;
  }

  /**
   * Begins a round among the zones of these channels. Where they want more than there is, each is granted its part, which counts as taken.
   * `wantOf`: how many permits the channel could use; `mostOf`: how many its zone could at most.
   */
  begin<C extends { readonly zone: TurnZone }>(
    channels: ReadonlySet<C>,
    wantOf: (channel: C) => number,
    mostOf: (channel: C) => number,
  ): void {
    const room = this.#process.max - this.#process.inUse;
    if (room <= 0 || isOfOneZone(channels)) {
      this.#isContended = room <= 0;
      return;
    }
    this.#round += 1;
    let wanted = 0;
    for (const channel of channels) {
      const { zone } = channel;
      if (zone.round !== this.#round) {
        zone.round = this.#round;
        zone.want = 0;
        zone.grant = mostOf(channel);
        this.#met[this.#metSize] = zone;
        this.#metSize += 1;
      }
      const want = Math.min(wantOf(channel), zone.grant - zone.want);
      zone.want += want;
      wanted += want;
    }
    this.#isContended = wanted > room;
    this.#isSharing = this.#isContended;
    for (let index = 0; index < this.#metSize; index += 1) (this.#met[index] as TurnZone).grant = 0; // index < size
    if (this.#isSharing) this.#share(room);
    else this.#metSize = 0;
  }

  /** Permits the zone may take now. One that could use none is asked all the same: it has to find out why. */
  leftFor(zone: TurnZone): number {
    return this.#isSharing && zone.want > 0 ? zone.grant : Number.POSITIVE_INFINITY;
  }

  /** The zone took permits, or gives back some (below 0) that it had no use for. */
  took(zone: TurnZone, permits: number): void {
    if (this.#isSharing) zone.grant -= permits;
    else this.#charge(zone, permits);
  }

  /** Ends a round: what of its grant a zone did not take counts as never taken. */
  end(): void {
    this.#isSharing = false;
    for (let index = 0; index < this.#metSize; index += 1) {
      const zone = this.#met[index] as TurnZone; // index < size
      this.#charge(zone, -zone.grant);
    }
    this.#metSize = 0;
  }

  #charge(zone: TurnZone, permits: number): void {
    if (permits === 0) return;
    const each = 1 / zone.policy.weight;
    if (permits < 0) {
      zone.turn += permits * each;
      return;
    }
    zone.turn = Math.max(zone.turn, this.#now) + permits * each;
    this.#now = Math.max(this.#now, zone.turn - each);
  }

  #share(room: number): void {
    const heap = this.#heap;
    this.#heapSize = 0;
    for (let index = 0; index < this.#metSize; index += 1) {
      const zone = this.#met[index] as TurnZone; // index < size
      if (zone.want <= 0) continue;
      heap[this.#heapSize] = zone;
      this.#heapSize += 1;
    }
    for (let index = this.#heapSize >> 1; index >= 0; index -= 1) this.#sink(index);
    for (let left = room; left > 0 && this.#heapSize > 0; left -= 1) {
      const next = heap[0] as TurnZone; // not empty
      next.grant += 1;
      this.#charge(next, 1);
      if (next.grant >= next.want) {
        this.#heapSize -= 1;
        heap[0] = heap[this.#heapSize] as TurnZone; // the last one
      }
      this.#sink(0);
    }
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const size = this.#heapSize;
    if (from >= size) return;
    const zone = heap[from] as TurnZone; // from < size, as all below
    let at = from;
    for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && (heap[child + 1] as TurnZone).turn < (heap[child] as TurnZone).turn) child += 1;
      const lower = heap[child] as TurnZone;
      if (lower.turn >= zone.turn) break;
      heap[at] = lower;
      at = child;
    }
    heap[at] = zone;
  }
}

function isOfOneZone(channels: ReadonlySet<{ readonly zone: TurnZone }>): boolean {
  let first: TurnZone | undefined;
  for (const { zone } of channels) {
    first ??= zone;
    if (zone !== first) return false;
  }
  return true;
}
