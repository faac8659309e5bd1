import type { HeapNode } from './Heap.ts';
import { Heap } from './Heap.ts';

/** What a {@link Lane} links together. */
export interface LaneMember<T extends LaneMember<T>> extends HeapNode {
  readonly seq: number;
  rank: number;
  heap: Heap<T> | null;
  lane: Lane<T> | null;
  laneBefore: T | null;
  laneAfter: T | null;
}

/** The live requests of one lane in the order of acceptance; the first is the head. */
export class Lane<T extends LaneMember<T>> {
  readonly name: string;
  head: T | null = null;
  /** The last one accepted. */
  tail: T | null = null;
  /** The blocked ones behind the head, best rank first; made when there is one. */
  waiting: Heap<T> | null = null;
  /** Names of lanes that stand for this one while it has members; made when there is one. */
  aliases: string[] | null = null;

  constructor(name: string) {
    this.name = name;
  }

  append(entry: T): void {
    entry.lane = this;
    entry.laneBefore = this.tail;
    if (this.tail === null) this.head = entry;
    else this.tail.laneAfter = entry;
    this.tail = entry;
  }

  remove(entry: T): void {
    if (entry.laneBefore === null) this.head = entry.laneAfter;
    else entry.laneBefore.laneAfter = entry.laneAfter;
    if (entry.laneAfter === null) this.tail = entry.laneBefore;
    else entry.laneAfter.laneBefore = entry.laneBefore;
    entry.laneBefore = null;
    entry.laneAfter = null;
    entry.lane = null;
  }

  /** Keeps a blocked request that is not the head. */
  wait(entry: T): void {
    this.waiting ??= new Heap<T>();
    entry.heap = this.waiting;
    this.waiting.push(entry, entry.rank, entry.seq);
  }
}
