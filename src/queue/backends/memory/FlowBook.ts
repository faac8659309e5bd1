import type { FlowRank } from '../../types/flowRank.ts';
import { SPARE_FLOWS } from '../../types/flowRank.ts';
import { againOf, shareOf } from '../flowShare.ts';

interface Group {
  /** The highest rank leased. */
  time: number;
  /** Epoch ms at which it was leased of, or a flow charged, last. */
  at: number;
  /** The rank that each flow was given last. */
  readonly last: Map<string, number>;
}

/** What fair queueing remembers of each group and its flows. */
export class FlowBook {
  readonly #groups = new Map<string, Group>();

  /** The rank that the flow's next request would get. */
  coming({ group, flow, weight }: FlowRank): number {
    const known = this.#groups.get(group);
    return Math.max(known?.time ?? 0, known?.last.get(flow) ?? 0) + shareOf(weight);
  }

  charge(form: FlowRank, now: number): number {
    const rank = this.coming(form);
    const group = this.#group(form.group, now);
    group.last.set(form.flow, rank);
    return rank;
  }

  /** The rank of one that comes back with a turn of before: the same, unless the time has gone past it. */
  again(form: FlowRank, rank: number, now: number): number {
    if (rank >= (this.#groups.get(form.group)?.time ?? 0)) return rank;
    return this.charge({ ...form, flow: againOf(form.flow) }, now);
  }

  advance(name: string, rank: number, now: number): void {
    const group = this.#group(name, now);
    group.time = Math.max(group.time, rank);
  }

  /** Puts back what is known now of a group and one of its flows. */
  memento(name: string, flow: string | null): () => void {
    const group = this.#groups.get(name);
    const before = group && { time: group.time, at: group.at, last: flow === null ? undefined : group.last.get(flow) };
    return () => {
      const changed = this.#groups.get(name);
      if (changed === undefined) return;
      if (before === undefined) {
        this.#groups.delete(name);
        return;
      }
      changed.time = before.time;
      changed.at = before.at;
      if (flow === null) return;
      if (before.last === undefined) changed.last.delete(flow);
      else changed.last.set(flow, before.last);
    };
  }

  /** Forgets what says nothing any more, see {@link FlowRank}. Returns how many flows, or how many groups if these were more. */
  forget(live: number, before: number, limit: number): number {
    let flows = 0;
    let groups = 0;
    const kept = live + SPARE_FLOWS;
    for (const name of [...this.#groups.keys()].sort()) {
      const group = this.#groups.get(name) as Group; // just listed
      flows += forgetReached(group, limit - flows);
      if (flows < limit && group.last.size > kept) {
        group.time = nthHighest(group.last.values(), kept);
        flows += forgetReached(group, limit - flows);
      }
      if (group.last.size > 0 || group.at >= before || groups >= limit) continue;
      this.#groups.delete(name);
      groups += 1;
    }
    return Math.max(flows, groups);
  }

  /** How many flows are remembered. */
  get size(): number {
    let size = 0;
    for (const { last } of this.#groups.values()) size += last.size;
    return size;
  }

  #group(name: string, now: number): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { time: 0, at: now, last: new Map() };
      this.#groups.set(name, group);
    }
    group.at = now;
    return group;
  }
}

function forgetReached({ last, time }: Group, limit: number): number {
  let count = 0;
  for (const [flow, rank] of last) {
    if (count >= limit) break;
    if (rank > time) continue;
    last.delete(flow);
    count += 1;
  }
  return count;
}

function nthHighest(values: Iterable<number>, n: number): number {
  return [...values].sort((a, b) => b - a)[n] as number; // there are more than `n`
}
