import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterEach, expect, vi } from 'vitest';
import { holdfastError } from '../../../src/errors.ts';
import { SpillingBackend } from '../../../src/queue/backends/spill/SpillingBackend.ts';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { NewRequest, StoredRequest } from '../../../src/queue/types/request.ts';
import type { EnqueueBatch, EnqueueResult, FindResult } from '../../../src/queue/types/store.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { newRequest, opening } from '../sqlite/support.ts';

export const CLOCK = systemClock;
const NO_LIMITS = { maxSize: 1_000_000, maxBytes: 1_000_000_000 };

/** A time at which nothing in these tests is in the past by accident. */
export function request(fields: Partial<NewRequest> = {}): NewRequest {
  return newRequest({ acceptedAt: CLOCK.now(), ...fields });
}

/** A store in an SQLite file, whose outage is a lock on it, and backends on it with a spill in another file. */
export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-spill-'));
  readonly #opened: Backend[] = [];
  #lock: BetterSqlite3.Database | undefined;

  get storePath(): string {
    return join(this.folder, 'store.db');
  }

  get spillPath(): string {
    return join(this.folder, 'spill.db');
  }

  /** Nobody can write to the store, until {@link recover}. It must exist. */
  fail(): void {
    this.#lock = new BetterSqlite3(this.storePath);
    this.#lock.exec('BEGIN IMMEDIATE');
  }

  recover(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  /** To be closed with the rest. */
  owned<B extends Backend>(backend: B): B {
    this.#opened.push(backend);
    return backend;
  }

  /** A handle on the store alone, which waits for a lock. */
  async store(worker = 'other'): Promise<SQLiteBackend> {
    const backend = this.owned(new SQLiteBackend({ path: this.storePath }));
    await backend.open(opening(worker));
    return backend;
  }

  /** A handle on the spill alone. */
  async spill(worker = 'other'): Promise<SQLiteBackend> {
    const backend = this.owned(new SQLiteBackend({ path: this.spillPath }));
    await backend.open(opening(worker));
    return backend;
  }

  make(options: { readonly of?: string; readonly spillPath?: string } = {}): SpillingBackend {
    const backend = new SpillingBackend({
      primary: new SQLiteBackend({ path: this.storePath, busyTimeoutMs: 50 }),
      spill: new SQLiteBackend({ path: options.spillPath ?? this.spillPath }),
      of: options.of ?? 'store',
      clock: CLOCK,
      retryMs: 20,
    });
    return this.owned(backend);
  }

  async open(worker = 'me', options: Parameters<World['make']>[0] = {}): Promise<SpillingBackend> {
    const backend = this.make(options);
    await backend.open(opening(worker, { now: CLOCK.now(), leaseNow: CLOCK.monotonicNow() }));
    return backend;
  }

  async dispose(): Promise<void> {
    this.recover();
    for (const backend of this.#opened) await backend.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A world for each test, gone after it. */
export function useWorld(): () => World {
  let world: World | undefined;
  afterEach(async () => {
    await world?.dispose();
    world = undefined;
  });
  return () => {
    world ??= new World();
    return world;
  };
}

export function enqueue(
  backend: Backend,
  requests: readonly NewRequest[],
  batch: Partial<EnqueueBatch> = {},
): Promise<EnqueueResult[]> {
  return backend.requests.enqueue({
    requests,
    atomic: false,
    now: CLOCK.now(),
    limits: NO_LIMITS,
    claim: null,
    ...batch,
  });
}

/** Accepts one and gives its id. */
export async function accept(backend: Backend, fields: Partial<NewRequest> = {}): Promise<string> {
  const one = request(fields);
  expect((await enqueue(backend, [one]))[0]).toMatchObject({ status: 'accepted', id: one.id });
  return one.id;
}

/** Reads until it is answered: a lock also fails what is read in one transaction with something that writes. */
export async function read<T>(verb: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await verb();
    } catch (error) {
      if (attempt === 20 || holdfastError(error, 'BACKEND_UNAVAILABLE') === undefined) throw error;
    }
  }
}

export async function recordOf(backend: Backend, id: string): Promise<StoredRequest> {
  const [record] = await read(() => backend.requests.get({ ids: [id] }));
  if (record === undefined) throw new Error(`no record of ${id}`);
  return record;
}

/** Every record of a store, in the order of acceptance. */
export async function all(backend: Backend): Promise<StoredRequest[]> {
  const found: StoredRequest[] = [];
  for (let after: number | null = null; ; ) {
    const query = { filter: {}, order: 'accepted', after, limit: 100 } as const;
    const page: FindResult = await read(() => backend.requests.find(query));
    found.push(...page.requests);
    if (page.next === null) return found;
    after = page.next;
  }
}

export async function idsIn(backend: Backend): Promise<string[]> {
  return (await all(backend)).map(({ id }) => id);
}

/** Resolves once the spill holds nothing any more. */
export async function emptied(spill: Backend): Promise<void> {
  await vi.waitFor(async () => expect(await idsIn(spill)).toEqual([]), { timeout: 30_000, interval: 10 });
}

export function claimAll(backend: Backend, senders = [''], calls = 1000): Promise<StoredRequest[]> {
  const channels = [{ channel: 'api', senders, calls, perCall: 1 }];
  const query = { worker: 'me', now: CLOCK.now(), leaseUntil: CLOCK.monotonicNow() + 30_000, channels };
  return backend.requests.claim(query).then(({ claimed }) => [...claimed]);
}
