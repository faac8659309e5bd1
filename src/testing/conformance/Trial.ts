import assert from 'node:assert/strict';
import type { Backend, OpenOptions, WorkerIdentity } from '../../queue/types/backend.ts';
import type { NewRequest, StoredRequest } from '../../queue/types/request.ts';
import { NO_PROGRESS } from '../../queue/types/request.ts';
import type { Reason, RequestState } from '../../queue/types/states.ts';
import type {
  AmendResult,
  Change,
  ClaimQuery,
  EnqueueBatch,
  EnqueueResult,
  Move,
  Settlement,
  SettleResult,
} from '../../queue/types/store.ts';
import type { ConformanceStore } from './contract.ts';

export type Accepted = Extract<EnqueueResult, { status: 'accepted' }>;
export type Held = { readonly id: string; readonly token: number };

const HOUR = 3_600_000;
export const LEASE_MS = 30_000;
export const NO_LIMITS = { maxSize: 1_000_000, maxBytes: 1_000_000_000 };

/** Who opens a handle in a test: the same machine and boot unless said otherwise. */
export function identity(worker: string, other: Partial<WorkerIdentity> = {}): WorkerIdentity {
  return { worker, bootId: 'boot-1', pidNamespace: 'pid-1', pid: 4711, processStart: '1', ...other };
}

/** One test's store with a handle opened on it, a clock of its own, and short forms of the verbs. */
export class Trial {
  /** Epoch ms given to verbs. */
  now = 1_700_000_000_000;
  /** Monotonic ms given to verbs. */
  leaseNow = 5 * HOUR;
  readonly worker = 'worker-1';
  readonly backend: Backend;
  readonly #store: ConformanceStore;
  #made = 0;

  private constructor(store: ConformanceStore) {
    this.#store = store;
    this.backend = store.handle();
  }

  static async start(store: ConformanceStore): Promise<Trial> {
    const trial = new Trial(store);
    await trial.backend.open(trial.opening(trial.worker));
    return trial;
  }

  get requests(): Backend['requests'] {
    return this.backend.requests;
  }

  opening(worker: string, other: Partial<OpenOptions> = {}): OpenOptions {
    const { now, leaseNow } = this;
    return { identity: identity(worker), now, leaseNow, leaseMs: LEASE_MS, isGone: () => false, ...other };
  }

  unopened(): Backend {
    return this.#store.handle();
  }

  /** A second handle on the same store, opened by another worker. */
  async open(worker: string, other: Partial<OpenOptions> = {}): Promise<Backend> {
    const handle = this.#store.handle();
    await handle.open(this.opening(worker, other));
    return handle;
  }

  /** Leaves a handle behind as a crash would. */
  async abandon(handle: Backend): Promise<void> {
    await this.#store.abandon?.(handle);
  }

  id(n: number): string {
    return `01890a5d-ac96-774b-bcce-${n.toString(16).padStart(12, '0')}`;
  }

  request(fields: Partial<NewRequest> = {}): NewRequest {
    this.#made += 1;
    return {
      id: this.id(this.#made),
      zone: 'api',
      channel: 'api',
      sender: '',
      ephemeral: false,
      content: { method: 'POST', path: '/notes?a=1', headers: [['content-type', 'text/plain']], body: 'hello' },
      effect: 'action',
      harmless: false,
      lane: null,
      after: [],
      refs: [],
      principal: 'ann',
      auth: 'none',
      client: null,
      key: null,
      fingerprint: null,
      digest: null,
      join: { rule: 'none' },
      idempotencyKey: null,
      base: null,
      priority: 5,
      rank: { form: 'value', value: 0 },
      notBefore: null,
      expiresAt: null,
      acceptedAt: this.now,
      trace: null,
      tags: [],
      durable: true,
      replayOf: null,
      bytes: 10,
      ...fields,
    };
  }

  enqueue(requests: readonly NewRequest[], batch: Partial<EnqueueBatch> = {}): Promise<EnqueueResult[]> {
    const { now } = this;
    return this.requests.enqueue({ requests, atomic: false, now, limits: NO_LIMITS, claim: null, ...batch });
  }

  /** Enqueues one request that must be accepted. */
  async accept(fields: Partial<NewRequest> = {}, batch: Partial<EnqueueBatch> = {}): Promise<Accepted> {
    const [result] = await this.enqueue([this.request(fields)], batch);
    assert.equal(result?.status, 'accepted', `accepted: ${JSON.stringify(result)}`);
    return result as Accepted; // just checked
  }

  /** Claims from one channel, for the sender `''` unless said otherwise. */
  async claim(
    calls = 100,
    query: Partial<ClaimQuery> & { readonly channel?: string; readonly senders?: readonly string[] } = {},
    backend: Backend = this.backend,
  ): Promise<StoredRequest[]> {
    const { channel = 'api', senders = [''], ...rest } = query;
    const { claimed } = await backend.requests.claim({
      worker: this.worker,
      now: this.now,
      leaseUntil: this.leaseNow + LEASE_MS,
      channels: [{ channel, senders, calls, perCall: 1 }],
      ...rest,
    });
    return [...claimed];
  }

  /** Accepts a request and leases it: it must be the best ready one of its channel. */
  async take(fields: Partial<NewRequest> = {}, backend: Backend = this.backend, worker = this.worker): Promise<Held> {
    const { id } = await this.accept(fields);
    return this.lease(id, { channel: fields.channel ?? 'api', senders: [fields.sender ?? ''], worker }, backend);
  }

  async lease(id: string, query: Parameters<Trial['claim']>[1] = {}, backend: Backend = this.backend): Promise<Held> {
    const [claimed] = await this.claim(1, query, backend);
    assert.equal(claimed?.id, id, 'the request is the next to be claimed');
    assert.ok(claimed?.lease, 'a claimed request has a lease');
    return { id, token: claimed.lease.token };
  }

  async settle(held: Held, next: Move, more: Partial<Settlement> = {}): Promise<SettleResult> {
    const [result] = await this.requests.settle({
      now: this.now,
      settlements: [{ ...held, next, progress: NO_PROGRESS, ...more }],
    });
    assert.ok(result, 'one result per settlement');
    return result;
  }

  succeed(held: Held, more: Partial<Settlement> = {}): Promise<SettleResult> {
    return this.settle(held, { state: 'succeeded', reason: 'applied' }, more);
  }

  /** Leases what is accepted by `fields` and ends it successfully. */
  async done(fields: Partial<NewRequest> = {}, more: Partial<Settlement> = {}): Promise<string> {
    const held = await this.take(fields);
    assert.equal((await this.succeed(held, more)).status, 'settled');
    return held.id;
  }

  async amend(change: Change): Promise<AmendResult> {
    const [result] = await this.requests.amend({ now: this.now, changes: [change] });
    assert.ok(result, 'one result per change');
    return result;
  }

  /** Moves a request that may be moved. */
  async move(id: string, to: Move, patch?: Change['patch']): Promise<Extract<AmendResult, { status: 'amended' }>> {
    const from = [(await this.get(id)).state];
    const result = await this.amend({ id, from, to, patch });
    assert.equal(result.status, 'amended', `amended: ${JSON.stringify(result)}`);
    return result as Extract<AmendResult, { status: 'amended' }>; // just checked
  }

  async get(id: string, backend: Backend = this.backend): Promise<StoredRequest> {
    const [found] = await backend.requests.get({ ids: [id] });
    assert.ok(found, `request ${id} is stored`);
    return found;
  }

  async state(id: string): Promise<RequestState> {
    return (await this.get(id)).state;
  }

  /** Asserts where a request stands. */
  async stands(id: string, state: RequestState, reason?: Reason): Promise<void> {
    const found = await this.get(id);
    assert.equal(found.state, state, `state of ${id}`);
    if (reason !== undefined) assert.equal(found.reason, reason, `reason of ${id}`);
  }

  /** Exact numbers by state, summed over zones, channels and senders. */
  async counts(): Promise<Partial<Record<RequestState, number>>> {
    const sums: Partial<Record<RequestState, number>> = {};
    for (const { state, count } of await this.requests.count({})) sums[state] = (sums[state] ?? 0) + count;
    return sums;
  }

  recover(
    query: { readonly worker?: string; readonly limit?: number } = {},
    backend: Backend = this.backend,
  ): ReturnType<Backend['requests']['recover']> {
    const { now, leaseNow } = this;
    return backend.requests.recover({ worker: this.worker, limit: 100, now, leaseNow, ...query });
  }
}

export function ids(requests: readonly { readonly id: string }[]): string[] {
  return requests.map(({ id }) => id);
}
