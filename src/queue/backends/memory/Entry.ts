import type { FlowRank } from '../../types/flowRank.ts';
import type { NewRequest, Progress, StoredResult } from '../../types/request.ts';
import { NO_PROGRESS } from '../../types/request.ts';
import type { Reason, RequestState } from '../../types/states.ts';
import type { Heap, HeapNode } from './Heap.ts';
import type { Lane, LaneMember } from './Lane.ts';
import type { Partition } from './Partition.ts';
import type { Tally } from './Tally.ts';

/** A request's place in the expiry index of its partition, apart from its place by state. */
export class ExpiryNode implements HeapNode {
  heapKey = 0;
  heapTie = 0;
  heapIndex = -1;
  readonly entry: Entry;

  constructor(entry: Entry) {
    this.entry = entry;
  }
}

/** What ties a request to others by `after`; most have none. */
export class Ties {
  /** While it lives. */
  predecessors: Entry[] = [];
  /** Predecessors that have not ended. */
  open = 0;
  /** Live requests that wait for this one to end. */
  readonly dependants = new Set<Entry>();
  /** Live requests that name this one in `after`. */
  awaitedBy = 0;
}

export type EntryLane = Lane<Entry>;
export type EntryPartition = Partition<Entry, ExpiryNode>;

/**
 * One request in memory. It keeps the accepted request by reference and beside it what changes often; lookups are
 * given a record made by `snapshot`, never an entry. Every field is set here, so that all entries have one shape, and
 * there are few, because hundreds of thousands of ended ones are kept.
 */
export class Entry implements LaneMember<Entry> {
  heapKey = 0;
  heapTie = 0;
  heapIndex = -1;
  /** The heap of its state: ready, scheduled or unknown of its partition, waiting of its lane. */
  heap: Heap<Entry> | null = null;
  expiry: ExpiryNode | null = null;

  /** As accepted; what `amend` or a join changes of it is changed in a copy. */
  input: NewRequest;
  readonly seq: number;

  state: RequestState = 'ready';
  reason: Reason = 'accepted';
  rank: number;
  /** Whose turn its rank is, where that is a flow's. */
  turn: FlowRank | null = null;
  /** Also the floor of a blocked request that was to be scheduled. */
  dueAt: number | null = null;
  firstSentAt: number | null = null;
  /** Token of the claim that set `firstSentAt`. */
  firstSentToken = 0;
  progress: Progress = NO_PROGRESS;
  token = 0;
  leaseWorker: string | null = null;
  leaseUntil = 0;
  callers = 1;
  endedAt = 0;
  endedSeq = 0;
  result: StoredResult | null = null;
  told = false;
  replayedAs: string | null = null;
  /** Id of the request whose failure ended this one. */
  bundle: string | null = null;

  partition: EntryPartition;
  tally: Tally;
  lane: EntryLane | null = null;
  laneBefore: Entry | null = null;
  laneAfter: Entry | null = null;
  ties: Ties | null = null;
  /** What lookups share of it is frozen. */
  sealed = false;
  purged = false;

  constructor(input: NewRequest, seq: number, partition: EntryPartition, tally: Tally) {
    this.input = input;
    this.seq = seq;
    // a flow rank is computed when it is known whether its flow is charged
    this.rank = input.rank.form === 'value' ? input.rank.value : -seq;
    this.partition = partition;
    this.tally = tally;
  }
}
