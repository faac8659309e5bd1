import { Traffic } from '../claimLimits.ts';
import { Aliases } from './Aliases.ts';
import type { Database, SqlValue, Statement } from './driver.ts';
import { Flows } from './Flows.ts';

const STATES = 10;
const SENDING = 3;
const FIRST_TERMINAL = 6;

/** A (zone, channel, sender) with the exact number and content bytes of its requests by state code. */
export class Place {
  readonly id: number;
  readonly zone: string;
  readonly channel: string;
  readonly sender: string;
  readonly n: number[] = new Array<number>(STATES).fill(0);
  readonly bytes: number[] = new Array<number>(STATES).fill(0);
  /** Bit per state whose counter differs from the stored one. */
  dirty = 0;

  constructor(id: number, zone: string, channel: string, sender: string) {
    this.id = id;
    this.zone = zone;
    this.channel = channel;
    this.sender = sender;
  }
}

/**
 * The small facts that every step needs: counters, sequence numbers, places, aliases of lanes. Kept in memory, changed within a
 * transaction and written once at its end by {@link flush}. After a rollback, and when another handle has committed,
 * {@link load} makes it what the database says.
 */
export class Ledger {
  readonly #byId = new Map<number, Place>();
  readonly #byChannel = new Map<string, Map<string, Place[]>>();
  readonly #dirty = new Set<Place>();
  #seq = 0;
  #endedSeq = 0;
  #sequencesDirty = false;
  #lastPlace = 0;
  /** Requests that are not terminal. */
  liveCount = 0;
  liveBytes = 0;
  endedCount = 0;
  endedBytes = 0;
  readonly aliases: Aliases;
  readonly flows: Flows;
  readonly traffic = new Traffic();

  readonly #readSequences: Statement;
  readonly #readPlaces: Statement;
  readonly #readCounters: Statement;
  readonly #writeSequences: Statement;
  readonly #writePlace: Statement;
  readonly #writeCounter: Statement;
  readonly #dropPlace: Statement;
  readonly #dropCounters: Statement;

  constructor(database: Database) {
    this.#readSequences = database.prepare('SELECT seq, ended_seq, EXISTS (SELECT 1 FROM alias) FROM meta');
    this.aliases = new Aliases(database);
    this.flows = new Flows(database);
    this.#readPlaces = database.prepare('SELECT id, zone, channel, sender FROM place');
    this.#readCounters = database.prepare('SELECT place, state, n, bytes FROM counter');
    this.#writeSequences = database.prepare('UPDATE meta SET seq = ?, ended_seq = ?');
    this.#writePlace = database.prepare('INSERT INTO place(id, zone, channel, sender) VALUES (?, ?, ?, ?)');
    this.#writeCounter = database.prepare(
      'INSERT INTO counter(place, state, n, bytes) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = excluded.n, bytes = excluded.bytes',
    );
    this.#dropPlace = database.prepare('DELETE FROM place WHERE id = ?');
    this.#dropCounters = database.prepare('DELETE FROM counter WHERE place = ?');
  }

  load(): void {
    this.#byId.clear();
    this.#byChannel.clear();
    this.#dirty.clear();
    this.flows.load();
    this.traffic.clear();
    this.#sequencesDirty = false;
    this.#lastPlace = 0;
    this.liveCount = this.liveBytes = this.endedCount = this.endedBytes = 0;
    const [seq, endedSeq, hasAliases] = this.#readSequences.get() as [number, number, number];
    this.#seq = seq;
    this.#endedSeq = endedSeq;
    this.aliases.load(hasAliases === 0);
    for (const [id, zone, channel, sender] of this.#readPlaces.all() as [number, string, string, string][]) {
      this.#remember(new Place(id, zone, channel, sender));
    }
    for (const [id, state, n, bytes] of this.#readCounters.all() as [number, number, number, number][]) {
      const place = this.place(id);
      place.n[state] = n;
      place.bytes[state] = bytes;
      this.#total(place, state, n, bytes);
    }
  }

  /** Writes what changed; once, right before the commit. */
  flush(): void {
    this.flows.flush();
    if (this.#sequencesDirty) {
      this.#writeSequences.run(this.#seq, this.#endedSeq);
      this.#sequencesDirty = false;
    }
    for (const place of this.#dirty) {
      for (let state = 0; state < STATES; state += 1) {
        if ((place.dirty & (1 << state)) === 0) continue;
        this.#writeCounter.run(place.id, state, place.n[state] as SqlValue, place.bytes[state] as SqlValue);
      }
      place.dirty = 0;
    }
    this.#dirty.clear();
  }

  nextSeq(): number {
    this.#sequencesDirty = true;
    this.#seq += 1;
    return this.#seq;
  }

  /** The `seq` of the next request that is stored. */
  get comingSeq(): number {
    return this.#seq + 1;
  }

  nextEndedSeq(): number {
    this.#sequencesDirty = true;
    this.#endedSeq += 1;
    return this.#endedSeq;
  }

  place(id: number): Place {
    const place = this.#byId.get(id);
    if (place === undefined) throw new Error(`place ${id} is not in the ledger`);
    return place;
  }

  /** The place of a new request; made when it is the first one there. */
  placeOf(zone: string, channel: string, sender: string): Place {
    const places = this.#byChannel.get(channel)?.get(sender);
    if (places !== undefined) {
      for (const place of places) if (place.zone === zone) return place;
    }
    const place = new Place(this.#lastPlace + 1, zone, channel, sender);
    this.#writePlace.run(place.id, zone, channel, sender);
    this.#remember(place);
    return place;
  }

  /** The places of a (channel, sender): one per zone that has both, usually one. */
  at(channel: string, sender: string): readonly Place[] {
    return this.#byChannel.get(channel)?.get(sender) ?? [];
  }

  places(): IterableIterator<Place> {
    return this.#byId.values();
  }

  add(place: Place, state: number, bytes: number): void {
    this.#change(place, state, 1, bytes);
  }

  remove(place: Place, state: number, bytes: number): void {
    this.#change(place, state, -1, -bytes);
  }

  /** Changes the bytes of what a place has in a state. */
  grow(place: Place, state: number, bytes: number): void {
    this.#change(place, state, 0, bytes);
  }

  /** Forgets a place that no request refers to. */
  drop(place: Place): void {
    this.#dropPlace.run(place.id);
    this.#dropCounters.run(place.id);
    this.#dirty.delete(place);
    this.#byId.delete(place.id);
    const senders = this.#byChannel.get(place.channel);
    const left = (senders?.get(place.sender) ?? []).filter((other) => other !== place);
    if (left.length > 0) senders?.set(place.sender, left);
    else senders?.delete(place.sender);
    if (senders?.size === 0) this.#byChannel.delete(place.channel);
  }

  #change(place: Place, state: number, n: number, bytes: number): void {
    place.n[state] = (place.n[state] as number) + n;
    place.bytes[state] = (place.bytes[state] as number) + bytes;
    if (place.dirty === 0) this.#dirty.add(place);
    place.dirty |= 1 << state;
    this.#total(place, state, n, bytes);
  }

  #total(place: Place, state: number, n: number, bytes: number): void {
    if (state === SENDING) this.traffic.add(place.zone, place.channel, n);
    if (state < FIRST_TERMINAL) {
      this.liveCount += n;
      this.liveBytes += bytes;
    } else {
      this.endedCount += n;
      this.endedBytes += bytes;
    }
  }

  #remember(place: Place): void {
    this.#byId.set(place.id, place);
    if (place.id > this.#lastPlace) this.#lastPlace = place.id;
    let senders = this.#byChannel.get(place.channel);
    if (senders === undefined) {
      senders = new Map();
      this.#byChannel.set(place.channel, senders);
    }
    const places = senders.get(place.sender);
    if (places === undefined) senders.set(place.sender, [place]);
    else places.push(place);
  }
}
