import { SPARE_FLOWS } from '../../types/flowRank.ts';
import { againOf } from '../flowShare.ts';
import type { Database, Statement } from './driver.ts';
import type { PackedFlow } from './protocol.ts';

interface Group {
  /** The highest rank leased. */
  time: number;
  /** Epoch ms at which it was leased of, or a flow charged, last. */
  at: number;
  isDirty: boolean;
}

/**
 * What fair queueing remembers. Times of groups are read when they are first needed and written once, at the end of a transaction;
 * flows are in the database alone.
 */
export class Flows {
  readonly #groups = new Map<string, Group>();
  readonly #dirty = new Map<string, Group>();
  readonly #readGroup: Statement;
  readonly #readGroups: Statement;
  readonly #writeGroup: Statement;
  readonly #dropGroup: Statement;
  readonly #readLast: Statement;
  readonly #writeLast: Statement;
  readonly #excess: Statement;
  readonly #forget: Statement;
  readonly #any: Statement;

  constructor(database: Database) {
    this.#readGroup = database.prepare('SELECT time, at FROM flow_group WHERE name = ?');
    this.#readGroups = database.prepare('SELECT name FROM flow_group ORDER BY name');
    this.#writeGroup = database.prepare(
      'INSERT INTO flow_group(name, time, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET time = excluded.time, at = excluded.at',
    );
    this.#dropGroup = database.prepare('DELETE FROM flow_group WHERE name = ?');
    this.#readLast = database.prepare('SELECT last FROM flow WHERE grp = ? AND name = ?');
    this.#writeLast = database.prepare(
      'INSERT INTO flow(grp, name, last) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last = excluded.last',
    );
    this.#excess = database.prepare('SELECT last FROM flow WHERE grp = ? ORDER BY last DESC LIMIT 1 OFFSET ?');
    this.#forget = database.prepare(
      'DELETE FROM flow WHERE (grp, name) IN (SELECT grp, name FROM flow WHERE grp = ? AND last <= ? LIMIT ?)',
    );
    this.#any = database.prepare('SELECT 1 FROM flow WHERE grp = ? LIMIT 1');
  }

  /** Forgets what is not in the database. */
  load(): void {
    this.#groups.clear();
    this.#dirty.clear();
  }

  flush(): void {
    if (this.#dirty.size === 0) return;
    for (const [name, group] of this.#dirty) {
      this.#writeGroup.run(name, group.time, group.at);
      group.isDirty = false;
    }
    this.#dirty.clear();
  }

  /** The rank that the flow's next request would get. */
  coming([group, flow, share]: PackedFlow): number {
    const last = (this.#readLast.get(group, flow)?.[0] ?? 0) as number; // a REAL column
    return Math.max(this.#group(group)?.time ?? 0, last) + share;
  }

  charge([group, flow]: PackedFlow, rank: number, now: number): void {
    this.#touched(group, now);
    this.#writeLast.run(group, flow, rank);
  }

  /** The rank of one that comes back with a turn of before: the same, unless the time has gone past it. */
  again([group, flow, share]: PackedFlow, before: number, now: number): number {
    if (before >= (this.#group(group)?.time ?? 0)) return before;
    const form: PackedFlow = [group, againOf(flow), share];
    const rank = this.coming(form);
    this.charge(form, rank, now);
    return rank;
  }

  advance(name: string, rank: number, now: number): void {
    const group = this.#touched(name, now);
    group.time = Math.max(group.time, rank);
  }

  /** Forgets what says nothing any more, see {@link FlowRank}. Returns how many flows, or how many groups if these were more. */
  forget(live: number, before: number, limit: number): number {
    this.flush();
    let flows = 0;
    let groups = 0;
    for (const [text] of this.#readGroups.all()) {
      const name = text as string; // the key
      const group = this.#group(name) as Group; // just listed
      flows += this.#forget.run(name, group.time, limit - flows);
      if (flows < limit) {
        const excess = this.#excess.get(name, live + SPARE_FLOWS)?.[0];
        if (typeof excess === 'number') {
          this.#dirtied(name, group).time = excess;
          flows += this.#forget.run(name, excess, limit - flows);
        }
      }
      if (group.at >= before || groups >= limit || this.#any.get(name) !== undefined) continue;
      this.#dropGroup.run(name);
      this.#groups.delete(name);
      this.#dirty.delete(name);
      groups += 1;
    }
    return Math.max(flows, groups);
  }

  #group(name: string): Group | undefined {
    let group = this.#groups.get(name);
    if (group !== undefined) return group;
    const found = this.#readGroup.get(name) as [number, number] | undefined; // REAL columns
    if (found === undefined) return undefined;
    group = { time: found[0], at: found[1], isDirty: false };
    this.#groups.set(name, group);
    return group;
  }

  #touched(name: string, now: number): Group {
    let group = this.#group(name);
    if (group === undefined) {
      group = { time: 0, at: now, isDirty: false };
      this.#groups.set(name, group);
    }
    group.at = now;
    return this.#dirtied(name, group);
  }

  #dirtied(name: string, group: Group): Group {
    if (group.isDirty) return group;
    group.isDirty = true;
    this.#dirty.set(name, group);
    return group;
  }
}
