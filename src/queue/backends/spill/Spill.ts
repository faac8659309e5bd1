import { HoldfastError } from '../../../errors.ts';
import type { Clock } from '../../../system/clock.ts';
import type { Backend, OpenOptions, SharedValue } from '../../types/backend.ts';
import type { Json, NewRequest, Progress } from '../../types/request.ts';
import { NO_PROGRESS } from '../../types/request.ts';
import { isTerminal } from '../../types/states.ts';
import type { AmendResult, Change, EnqueueBatch, EnqueueResult, Move, RequestPatch } from '../../types/store.ts';
import type { Entry } from './Entry.ts';
import { ATTEMPTED, entryOf, SPILLED_SEQ, SPILLED_STATE, wrap } from './Entry.ts';

const OWNER = 'spill:of';
const MOVER = 'spill:mover';
const KEPT = 'spill:kept:';

/** How long one process moves alone after its last step. Should a step take longer, two do the same work. */
const MOVER_LEASE_MS = 1_000;
/** What is read, and handed to the store, at once. */
const LARGEST_PAGE = 256;
const PAGE_BYTES = 4 * 1024 * 1024;

const WAITING = ['ready', 'scheduled', 'blocked'] as const;
const LIVE = [...WAITING, 'held'] as const;
const NO_RETENTION = { succeededMs: 0, deadMs: 0, maxRecords: 0, maxBytes: 0 };

/** The first of what is in the spill, oldest first. */
export interface Page {
  readonly entries: readonly Entry[];
  /** Nothing is behind it. */
  readonly isLast: boolean;
}

/**
 * Accepted requests that wait to be moved to the store, in a backend of their own that nobody claims from: durable, bounded and
 * idempotent as that backend is, oldest first. Several processes may share it; whoever comes first moves.
 */
export class Spill {
  readonly backend: Backend;
  readonly #of: string;
  readonly #clock: Clock;
  /** Ids of refused requests that the store may have accepted. */
  readonly #doubtful = new Set<string>();

  /** `of` names the store that it belongs to. */
  constructor(backend: Backend, of: string, clock: Clock) {
    this.backend = backend;
    this.#of = of;
    this.#clock = clock;
  }

  /** @throws CONFIG_INVALID where the backend holds anything but the spill of this store */
  async open(options: OpenOptions): Promise<void> {
    const { backend } = this;
    await backend.open(options);
    const { shared } = backend;
    const now = this.#clock.now();
    const owner = (await shared.get({ key: OWNER, now }))?.value ?? (await this.#claimed());
    if (owner !== this.#of) throw foreign(this.#of, owner);
  }

  /** Makes it the spill of this store, unless requests of another kind are in it. */
  async #claimed(): Promise<Json> {
    const { requests, shared } = this.backend;
    const now = this.#clock.now();
    const rows = await requests.count({});
    if (rows.some(({ count }) => count > 0)) return 'requests of a queue';
    await shared.set({ key: OWNER, value: this.#of, expiresAt: null, now, ifVersion: 0 });
    return (await shared.get({ key: OWNER, now }))?.value ?? null; // two may have come at once
  }

  async isEmpty(): Promise<boolean> {
    return (await this.page(1)).entries.length === 0;
  }

  /**
   * Accepts requests. Those that `mayHaveArrived` in the store are not ended here any more. Several calls keep their order.
   * Only the store can tell whether a request can still be replaced, or whose turn it is to fire a schedule: one that is to do so is
   * refused.
   */
  async put(batch: EnqueueBatch, mayHaveArrived: boolean): Promise<EnqueueResult[]> {
    const isRefused = ({ replaces, fires }: NewRequest): boolean => (replaces ?? fires) !== undefined;
    const isNone = batch.atomic && batch.requests.some(isRefused);
    const taken = isNone ? [] : batch.requests.filter((request) => !isRefused(request));
    const inDoubt = taken.filter(({ id }) => mayHaveArrived || this.#doubtful.delete(id)).map(({ id }) => id);
    // A firing comes back as one, for which the store knows whether it arrived.
    const others = mayHaveArrived ? batch.requests.filter(({ id, fires }) => !fires && !inDoubt.includes(id)) : [];
    for (const { id } of others) this.#doubtful.add(id);
    const results = taken.length === 0 ? [] : await this.#store({ ...batch, requests: taken }, inDoubt);
    return batch.requests.map((request): EnqueueResult => {
      if (request.fires) return { status: 'refused', why: 'away', detail: NO_SCHEDULES };
      if (isRefused(request)) return { status: 'refused', why: 'replaced', detail: UNREACHABLE };
      if (isNone) return { status: 'refused', why: 'neighbour', detail: UNREACHABLE };
      return results.shift() as EnqueueResult; // one each
    });
  }

  async #store(batch: EnqueueBatch, inDoubt: readonly string[]): Promise<EnqueueResult[]> {
    const { requests } = this.backend;
    const stored = requests.enqueue({ ...batch, requests: batch.requests.map(wrap), claim: null });
    // Asked for in the same turn: one commit for both. Without the note it is accepted all the same.
    const noted = inDoubt.length > 0 ? this.#amend(inDoubt.map(attempted)) : undefined;
    const [results] = await Promise.all([stored, noted?.catch(() => false)]);
    return results.map((result): EnqueueResult => {
      if (result.status === 'refused') return result;
      const seq = SPILLED_SEQ + result.seq;
      if (result.status === 'joined') return { ...result, seq, state: SPILLED_STATE };
      return { ...result, seq, state: SPILLED_STATE, dueAt: null };
    });
  }

  /** What is known of these requests here; undefined where nothing is. */
  async look(ids: readonly string[]): Promise<(Entry | undefined)[]> {
    const records = await this.backend.requests.get({ ids });
    return records.map((record) => {
      const entry = record === undefined ? undefined : entryOf(record);
      return entry?.standing === 'moved' ? undefined : entry;
    });
  }

  /** As many as fit into memory and into one step of the store. */
  async nextPage(): Promise<Page> {
    const rows = await this.backend.requests.count({});
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    const count = rows.reduce((sum, row) => sum + row.count, 0);
    const fitting = Math.floor((PAGE_BYTES * count) / Math.max(bytes, 1));
    return this.page(Math.max(1, Math.min(LARGEST_PAGE, fitting)));
  }

  async page(limit: number): Promise<Page> {
    for (;;) {
      const found = await this.backend.requests.find({ filter: {}, order: 'accepted', after: null, limit });
      const entries = found.requests.map(entryOf);
      const left = entries.filter(({ standing }) => standing === 'moved');
      if (left.length === 0) return { entries, isLast: found.next === null };
      await this.#delete(left.map(({ record }) => record.id));
    }
  }

  /** Notes that these are about to be handed to the store. Undefined when one of them is not waiting any more. */
  async attempt(entries: readonly Entry[]): Promise<Entry[] | undefined> {
    const waiting = entries.filter(({ standing }) => standing === 'waiting');
    const isNoted = waiting.length === 0 || (await this.#amend(waiting.map(({ record }) => attempted(record.id))));
    if (!isNoted) return undefined;
    return entries.map((entry) => (entry.standing === 'waiting' ? asAttempted(entry) : entry));
  }

  /**
   * Writes down how a request ends or is held before the store learns of it: whoever moves goes on from there. Undefined where
   * another process did so.
   */
  async decide({ record }: Entry, to: Move, patch?: RequestPatch): Promise<Entry | undefined> {
    if (!(await this.#amend([{ id: record.id, from: LIVE, reason: record.reason, to, patch }]))) return undefined;
    const [entry] = await this.look([record.id]);
    return entry;
  }

  /** The store has them. False where one was joined meanwhile, which stays for another look. */
  async remove(entries: readonly Entry[]): Promise<boolean> {
    if (entries.length === 0) return true;
    const ids = entries.map(({ record }) => record.id);
    const to = { state: 'superseded', reason: 'moved' } as const;
    const changes = entries.map(({ record }): Change => ({ id: record.id, from: LIVE, callers: record.callers, to }));
    const [results] = await Promise.all([this.#change(changes), this.#delete(ids)]); // one commit
    return !results.some((result) => result.status === 'refused' && !isTerminal(result.state));
  }

  /** Lets one process move at a time, to spare the store: several would do each other's work again. */
  mayMove(worker: string): Promise<boolean> {
    const now = this.#clock.now();
    const expiresAt = now + MOVER_LEASE_MS;
    return this.backend.shared.acquire({ key: MOVER, holder: worker, permits: 1, now, expiresAt });
  }

  async stopMoving(worker: string): Promise<void> {
    await this.backend.shared.release({ key: MOVER, holder: worker });
  }

  /** Keeps a value of the store for a start without it. */
  async keep(key: string, { value, version }: SharedValue): Promise<void> {
    const now = this.#clock.now();
    await this.backend.shared.set({ key: KEPT + key, value: { value, version }, expiresAt: null, now });
  }

  async kept(key: string): Promise<SharedValue | undefined> {
    const found = await this.backend.shared.get({ key: KEPT + key, now: this.#clock.now() });
    if (found === undefined) return undefined;
    return { ...(found.value as Pick<SharedValue, 'value' | 'version'>), expiresAt: null }; // written by `keep`
  }

  /** Whether every change was made. */
  async #amend(changes: readonly Change[]): Promise<boolean> {
    return (await this.#change(changes)).every(({ status }) => status === 'amended');
  }

  #change(changes: readonly Change[]): Promise<AmendResult[]> {
    return this.backend.requests.amend({ now: this.#clock.now(), changes });
  }

  /** Deletes those of them that have ended. */
  async #delete(ids: readonly string[]): Promise<void> {
    const now = this.#clock.now();
    const keepAfter = Number.MAX_SAFE_INTEGER;
    await this.backend.requests.purge({ now, limit: ids.length, keepAfter, ids, retention: NO_RETENTION });
  }
}

/** Why nothing is replaced meanwhile. */
const UNREACHABLE = 'the store that has the request to be replaced cannot be reached';

/** Why nothing is fired meanwhile. */
const NO_SCHEDULES = 'the store that has its schedule cannot be reached';

/** In doubt until the store has answered: as with a request in doubt, no deadline ends it. */
const IN_DOUBT: Progress = Object.freeze({ ...NO_PROGRESS, unresolved: true });

function attempted(id: string): Change {
  return { id, from: WAITING, to: { state: 'held', reason: ATTEMPTED }, patch: { progress: IN_DOUBT } };
}

function asAttempted({ record }: Entry): Entry {
  return entryOf({ ...record, state: 'held', reason: ATTEMPTED, progress: IN_DOUBT });
}

function foreign(of: string, owner: Json): HoldfastError {
  const problems = [{ path: 'spill.path', expected: `a file for the spill of ${of} alone`, got: `${String(owner)}` }];
  return new HoldfastError('CONFIG_INVALID', `the spill of ${of} has a file with something else in it`, { problems });
}
