import { HoldfastError } from '../../../errors.ts';
import type { Clock } from '../../../system/clock.ts';
import type { Ids } from '../../../system/ids.ts';
import type { SharedState, WorkerIdentity } from '../../types/backend.ts';
import { isGone } from '../workerIdentity.ts';

const STORE_KEY = 'migration:store';
const JOURNAL_KEY = 'migration:out';
/** How long a call that gives no sign of life keeps others away. One whose process is gone keeps nobody away. */
const LEASE_MS = 60_000;

export type Phase = 'moving' | 'handingOver';

interface Entry {
  /** Id of the store it moves to. */
  readonly to: string;
  readonly phase: Phase;
  readonly by: WorkerIdentity;
  /** Epoch ms. */
  readonly until: number;
}

/** By what a store is known to others: made when it first takes part in a move, and copied with a copy of it. */
export async function storeIdOf(shared: SharedState, clock: Clock, ids: Ids): Promise<string> {
  const now = clock.now();
  const fresh = ids.next();
  await shared.set({ key: STORE_KEY, value: fresh, expiresAt: null, now, ifVersion: 0 });
  return String((await shared.get({ key: STORE_KEY, now }))?.value ?? fresh);
}

/** Makes another id: what bears the old one is nobody's any more. */
export async function renameStore(shared: SharedState, clock: Clock, ids: Ids): Promise<void> {
  await shared.set({ key: STORE_KEY, value: ids.next(), expiresAt: null, now: clock.now() });
}

/**
 * What the store that is moved out of knows of the move: where to, how far, and who does it at present. There is one while a
 * move is under way or was interrupted; one call at a time has it.
 */
export class Journal {
  readonly #shared: SharedState;
  readonly #clock: Clock;
  /** Where it stood when this call came to it; null when it began one. */
  readonly found: Phase | null;
  #entry: Entry;
  #version: number;

  private constructor(shared: SharedState, clock: Clock, entry: Entry, version: number, found: Phase | null) {
    this.#shared = shared;
    this.#clock = clock;
    this.#entry = entry;
    this.#version = version;
    this.found = found;
  }

  /** Takes over a move that was interrupted, or begins one to `to`. @throws BULK_REFUSED as {@link Journal.takeOver} */
  static async take(shared: SharedState, clock: Clock, by: WorkerIdentity, to: string): Promise<Journal> {
    const interrupted = await Journal.takeOver(shared, clock, by, to);
    if (interrupted !== undefined) return interrupted;
    return Journal.#put(shared, clock, { to, phase: 'moving', by, until: clock.now() + LEASE_MS }, 0, null);
  }

  /**
   * Takes over a move that was interrupted; undefined where there is none. `to` null: wherever it goes.
   *
   * @throws BULK_REFUSED while another call has it, and where it goes elsewhere
   */
  static async takeOver(
    shared: SharedState,
    clock: Clock,
    by: WorkerIdentity,
    to: string | null,
  ): Promise<Journal | undefined> {
    const now = clock.now();
    const stored = await shared.get({ key: JOURNAL_KEY, now });
    if (stored === undefined) return undefined;
    const found = stored.value as unknown as Entry; // as written below
    if (found.until > now && !isGone(by, found.by)) {
      throw refused(`process ${found.by.pid} is moving requests out of this store`, { pid: found.by.pid });
    }
    if (to !== null && found.to !== to) {
      throw refused('a move to another store was interrupted: finish it, or abandon it', { to: found.to });
    }
    return Journal.#put(shared, clock, { ...found, by, until: now + LEASE_MS }, stored.version, found.phase);
  }

  static async #put(
    shared: SharedState,
    clock: Clock,
    entry: Entry,
    ifVersion: number,
    found: Phase | null,
  ): Promise<Journal> {
    const version = await write(shared, clock, entry, ifVersion);
    if (version === undefined) throw refused('another call has just begun to move requests out of this store', {});
    return new Journal(shared, clock, entry, version, found);
  }

  get phase(): Phase {
    return this.#entry.phase;
  }

  /** A sign of life. @throws BULK_REFUSED where another call took over meanwhile */
  async keep(): Promise<void> {
    if (this.#clock.now() > this.#entry.until - LEASE_MS / 2) await this.enter(this.phase);
  }

  /** From `handingOver` on there is no way back. @throws BULK_REFUSED as {@link keep} */
  async enter(phase: Phase): Promise<void> {
    await this.#write({ ...this.#entry, phase, until: this.#clock.now() + LEASE_MS });
  }

  /** The move is done, or undone. */
  async end(): Promise<void> {
    await this.enter(this.phase);
    await this.#shared.delete({ key: JOURNAL_KEY });
  }

  /** Leaves the move as it is to whoever calls next. */
  async leave(): Promise<void> {
    await this.#write({ ...this.#entry, until: 0 });
  }

  async #write(entry: Entry): Promise<void> {
    const version = await write(this.#shared, this.#clock, entry, this.#version);
    if (version === undefined) throw refused('another call has taken over the move out of this store', {});
    this.#version = version;
    this.#entry = entry;
  }
}

function write(shared: SharedState, clock: Clock, entry: Entry, ifVersion: number): Promise<number | undefined> {
  const value = { ...entry, by: { ...entry.by } };
  return shared.set({ key: JOURNAL_KEY, value, expiresAt: null, now: clock.now(), ifVersion });
}

/** Why a move cannot be done now. Nothing was changed. */
export function refused(message: string, details: Readonly<Record<string, unknown>>): HoldfastError<'BULK_REFUSED'> {
  return new HoldfastError('BULK_REFUSED', message, details);
}
