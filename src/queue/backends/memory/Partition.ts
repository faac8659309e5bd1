import type { HeapNode } from './Heap.ts';
import { Heap } from './Heap.ts';

/** Senders of which every live request is kept in a set, so that recovery finds what a dead process left. */
export const PROCESS_SENDER = 'process:';

/** The indexes of one (channel, sender): what may be sent now, later, looked at, and what expires. */
export class Partition<E extends HeapNode, X extends HeapNode> {
  readonly channel: string;
  readonly sender: string;
  /** By (rank, seq). */
  readonly ready = new Heap<E>();
  /** By (dueAt, seq). */
  readonly scheduled = new Heap<E>();
  /** By (dueAt, seq). */
  readonly unknown = new Heap<E>();
  /** Waiting and held ones with an end, by (expiresAt, seq). */
  readonly expiry = new Heap<X>();
  /** All live ones, for senders that are a process. */
  readonly members: Set<E> | null;
  live = 0;

  constructor(channel: string, sender: string) {
    this.channel = channel;
    this.sender = sender;
    this.members = sender.startsWith(PROCESS_SENDER) ? new Set() : null;
  }
}
