import type { WorkerIdentity } from '../../types/backend.ts';
import type { Binding } from '../../types/binding.ts';
import type { Sender } from '../../types/request.ts';
import { Traffic } from '../claimLimits.ts';
import type { Entry, EntryLane, EntryPartition } from './Entry.ts';
import { FlowBook } from './FlowBook.ts';
import { Log } from './Log.ts';
import { MemorySchedules } from './MemorySchedules.ts';
import { Partition } from './Partition.ts';
import { Tally } from './Tally.ts';

/** A worker that opened the store, with its lease of life in monotonic ms. */
export interface WorkerRow {
  readonly identity: WorkerIdentity;
  readonly leaseMs: number;
  until: number;
}

export interface SharedRow {
  readonly text: string;
  readonly version: number;
  readonly expiresAt: number | null;
}

export interface HistoryRow {
  readonly seq: number;
  readonly at: number;
  readonly text: string;
}

const SWEEP_AT_LEAST = 64;

/**
 * What one memory store holds, apart from the handles on it: several handles may share one, and it outlives a handle
 * that is abandoned. Only the verbs of this folder change it, each in one synchronous step.
 */
export class MemoryStorage {
  readonly entries = new Map<string, Entry>();
  readonly keys = new Map<string, Entry>();
  readonly fingerprints = new Map<string, Entry[]>();
  readonly lanes = new Map<string, EntryLane>();
  /** Names of lanes, none of which has members, and the name of the lane whose members take theirs. */
  readonly aliases = new Map<string, string>();
  readonly bindings = new Map<string, Binding>();
  /** No binding was made before. */
  oldestBoundAt = Number.POSITIVE_INFINITY;
  readonly flows = new FlowBook();
  readonly workers = new Map<string, WorkerRow>();
  readonly sending = new Set<Entry>();
  readonly traffic = new Traffic();
  readonly accepted = new Log((entry) => entry.seq);
  readonly ended = new Log((entry) => entry.endedSeq);
  /** Of the ended ones, those that purge takes first: succeeded, cancelled, superseded. */
  readonly endedWell = new Log((entry) => entry.endedSeq);
  readonly endedDead = new Log((entry) => entry.endedSeq);
  endedBytes = 0;
  lastEndedAt = 0;
  /** Whether a request ended, by the clock, before one that had ended already: clocks step back. */
  hasSteppedBack = false;
  live = 0;
  liveBytes = 0;
  lastSeq = 0;
  lastEndedSeq = 0;
  /** Grows with every change to a request; handles compare it to know whether to tell each other. */
  revision = 0;

  readonly schedules = new MemorySchedules();
  readonly shared = new Map<string, SharedRow>();
  readonly holders = new Map<string, Map<string, number>>();
  /** Theoretical arrival times of the token buckets, epoch ms. */
  readonly buckets = new Map<string, number>();
  lastVersion = 0;
  readonly history = new Map<string, HistoryRow[]>();
  lastHistorySeq = 0;

  readonly listeners = new Map<() => void, object>();
  handles = 0;

  readonly #channels = new Map<string, Map<Sender, EntryPartition>>();
  readonly #tallies = new Map<string, Map<string, Map<Sender, Tally>>>();
  #partitionCount = 0;
  #sweepAt = SWEEP_AT_LEAST;
  #tallyCount = 0;
  #tallySweepAt = SWEEP_AT_LEAST;

  partition(channel: string, sender: Sender): EntryPartition | undefined {
    return this.#channels.get(channel)?.get(sender);
  }

  partitionFor(channel: string, sender: Sender): EntryPartition {
    let senders = this.#channels.get(channel);
    if (senders === undefined) {
      senders = new Map();
      this.#channels.set(channel, senders);
    }
    let partition = senders.get(sender);
    if (partition === undefined) {
      this.#sweepPartitions();
      partition = new Partition(channel, sender);
      senders.set(sender, partition);
      // the sweep may have dropped the channel while it was empty
      this.#channels.set(channel, senders);
      this.#partitionCount += 1;
    }
    return partition;
  }

  *partitions(): Generator<EntryPartition> {
    for (const senders of this.#channels.values()) yield* senders.values();
  }

  tallyFor(zone: string, channel: string, sender: Sender): Tally {
    let channels = this.#tallies.get(zone);
    if (channels === undefined) {
      channels = new Map();
      this.#tallies.set(zone, channels);
    }
    let senders = channels.get(channel);
    if (senders === undefined) {
      senders = new Map([['', new Tally(zone, channel, '', null)]]);
      channels.set(channel, senders);
    }
    let tally = senders.get(sender);
    if (tally === undefined) {
      this.#sweepTallies();
      tally = new Tally(zone, channel, sender, senders.get('') as Tally); // made with the map
      senders.set(sender, tally);
      this.#tallyCount += 1;
    }
    return tally;
  }

  *tallies(): Generator<Tally> {
    for (const channels of this.#tallies.values()) {
      for (const senders of channels.values()) yield* senders.values();
    }
  }

  /** Senders come and go with processes and principals; empty partitions are dropped when there are twice as many as were left last time. */
  #sweepPartitions(): void {
    if (this.#partitionCount < this.#sweepAt) return;
    for (const [channel, senders] of this.#channels) {
      for (const [sender, partition] of senders) {
        if (partition.live > 0) continue;
        senders.delete(sender);
        this.#partitionCount -= 1;
      }
      if (senders.size === 0) this.#channels.delete(channel);
    }
    this.#sweepAt = Math.max(SWEEP_AT_LEAST, 2 * this.#partitionCount);
  }

  #sweepTallies(): void {
    if (this.#tallyCount < this.#tallySweepAt) return;
    for (const channels of this.#tallies.values()) {
      for (const senders of channels.values()) {
        for (const [sender, tally] of senders) {
          if (sender === '' || !tally.isEmpty) continue;
          senders.delete(sender);
          this.#tallyCount -= 1;
        }
      }
    }
    this.#tallySweepAt = Math.max(SWEEP_AT_LEAST, 2 * this.#tallyCount);
  }
}
