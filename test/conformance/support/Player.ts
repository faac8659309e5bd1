import type { Backend, OpenOptions } from '../../../src/queue/types/backend.ts';
import type { Carried, NewRequest, RequestFilter } from '../../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import { REQUEST_STATES } from '../../../src/queue/types/states.ts';
import type { Change, ClaimResult, Move, RequestPatch } from '../../../src/queue/types/store.ts';
import type { CarriedCommand, ChangeCommand, Command, MoveCommand } from './commands.ts';

type CommandOf<Verb extends Command['verb']> = Extract<Command, { verb: Verb }>;

const WORKER = 'worker-1';
const LEASE_MS = 30_000;

/** Plays commands on a backend and tells each answer as text in which only what is promised can differ. */
export class Player {
  readonly #backend: Backend;
  #now = 1_700_000_000_000;
  #leaseNow = 1_000_000;
  /** Ids offered so far; both players of a pair offer the same. */
  readonly #ids: string[] = [];

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async open(): Promise<void> {
    const identity = { worker: WORKER, bootId: 'boot', pidNamespace: 'pid', pid: 1, processStart: '1' };
    const options: OpenOptions = {
      identity,
      now: this.#now,
      leaseNow: this.#leaseNow,
      leaseMs: LEASE_MS,
      isGone: () => false,
    };
    await this.#backend.open(options);
  }

  async play(command: Command): Promise<string> {
    return tell(await this.#answer(command));
  }

  /** Everything that is stored. */
  async look(): Promise<string> {
    const { requests } = this.#backend;
    const all = { filter: {}, after: null, limit: 1000 };
    return tell({
      accepted: (await requests.find({ ...all, order: 'accepted' })).requests,
      ended: (await requests.find({ ...all, order: 'ended' })).requests.map(({ id }) => id),
      counts: await this.#counts({}),
      looked: await this.#counts({ filter: {} }),
      bindings: await requests.bindings({ localIds: ['local-1', 'local-2'] }),
    });
  }

  async #answer(command: Command): Promise<unknown> {
    const { requests } = this.#backend;
    const now = this.#now;
    const leaseNow = this.#leaseNow;
    switch (command.verb) {
      case 'step':
        this.#now += command.now;
        this.#leaseNow += command.leaseNow;
        return this.#backend.keepAlive({ worker: WORKER, leaseNow: this.#leaseNow });
      case 'enqueue':
        return this.#enqueue(command);
      case 'claim':
        return this.#claim(command);
      case 'claimUnknown':
        return requests.claimUnknown({
          worker: WORKER,
          now,
          until: now + command.until,
          limit: command.limit,
          channels: ['x', 'y'].map((channel) => ({ channel, senders: command.askedSenders })),
        });
      case 'settle':
        return this.#settle(command);
      case 'amend':
        return requests.amend({ now, changes: command.changes.map((change) => this.#change(change)) });
      case 'renew': {
        const ids = command.picks.map((pick) => this.#id(pick));
        const tokens = await this.#tokens(ids);
        const leases = ids.map((id, n) => ({ id, token: tokens[n] ?? 1 }));
        return requests.renew({ worker: WORKER, leases, leaseUntil: leaseNow + command.until });
      }
      case 'recover':
        return requests.recover({ worker: WORKER, now, leaseNow, limit: command.limit });
      case 'expire':
        return requests.expire({ now, limit: command.limit });
      case 'purge': {
        const { limit, keepAfter, retention, picks } = command;
        return requests.purge({ now, limit, keepAfter, retention, ids: picks?.map((pick) => this.#id(pick)) });
      }
      case 'find':
        return this.#find(command);
      case 'count':
        return this.#counts({ filter: this.#filter(command.filter) });
      case 'nextDueAt':
        return requests.nextDueAt({
          channels: command.channels.map((channel) => ({ channel, senders: command.askedSenders })),
          after: command.afterIn === null ? null : now + command.afterIn,
        });
      default:
        return command satisfies never;
    }
  }

  async #claim({ channels, askedSenders: senders, calls }: CommandOf<'claim'>): Promise<ClaimResult> {
    const result = await this.#backend.requests.claim({
      worker: WORKER,
      now: this.#now,
      leaseUntil: this.#leaseNow + LEASE_MS,
      channels: channels.map((channel) => ({ channel, senders, calls, perCall: 1 })),
    });
    if (result.ended.length === 0) return result;
    // Where one that expired stood before others, what comes forward in its lane has no promised place among them.
    return { ...result, claimed: result.claimed.toSorted((a, b) => a.seq - b.seq) };
  }

  #enqueue({ requests, atomic, maxSize, maxBytes, calls }: CommandOf<'enqueue'>): Promise<unknown> {
    const claim =
      calls === null
        ? null
        : {
            worker: WORKER,
            leaseUntil: this.#leaseNow + LEASE_MS,
            allowance: [{ channel: 'x', calls }],
          };
    return this.#backend.requests.enqueue({
      requests: requests.map((request) => this.#newRequest(request)),
      atomic,
      now: this.#now,
      limits: { maxSize, maxBytes },
      claim,
    });
  }

  #newRequest(given: CommandOf<'enqueue'>['requests'][number]): NewRequest {
    const { again, after, join, notBeforeIn, expiresIn, carried, ...same } = given;
    const predecessors = after.map((pick) => this.#id(pick));
    const isAgain = again !== null && this.#ids.length > 0;
    const id = isAgain ? this.#id(again) : `01890a5d-ac96-774b-bcce-${String(this.#ids.length).padStart(12, '0')}`;
    if (!isAgain) this.#ids.push(id);
    return {
      ...same,
      id,
      content: { method: 'POST', path: '/', headers: [['a', 'b']], body: id },
      effect: 'action',
      after: predecessors,
      refs: [],
      auth: 'none',
      client: null,
      join: join.rule === 'window' ? { rule: 'window', since: this.#now - join.ago } : join,
      idempotencyKey: null,
      base: null,
      notBefore: notBeforeIn === null ? null : this.#now + notBeforeIn,
      expiresAt: expiresIn === null ? null : this.#now + expiresIn,
      acceptedAt: this.#now,
      trace: null,
      durable: true,
      replayOf: null,
      ...(carried !== null && { carried: this.#carried(carried) }),
    };
  }

  #carried({ dueIn, firstSentIn, unresolved, resultBytes, ...same }: CarriedCommand): Carried {
    return {
      ...same,
      dueAt: dueIn === null ? null : this.#now + dueIn,
      firstSentAt: firstSentIn === null ? null : this.#now + firstSentIn,
      progress: { ...NO_PROGRESS, unresolved },
      result: resultBytes === null ? null : { status: 200, headers: [['a', 'b']], body: new Uint8Array(resultBytes) },
    };
  }

  async #settle({ settlements }: CommandOf<'settle'>): Promise<unknown> {
    const ids = settlements.map(({ pick }) => this.#id(pick));
    const tokens = await this.#tokens(ids);
    return this.#backend.requests.settle({
      now: this.#now,
      settlements: settlements.map(({ stale, next, notSent, unresolved, resultBytes, bind, end, amend }, n) => ({
        id: ids[n] as string, // one per settlement
        token: (tokens[n] ?? 1) + stale,
        next: this.#move(next),
        progress: { ...NO_PROGRESS, unresolved },
        notSent,
        result:
          resultBytes === null ? undefined : { status: 200, headers: [['a', 'b']], body: new Uint8Array(resultBytes) },
        bind:
          bind === null
            ? undefined
            : [{ localId: bind, serverId: `${n}`, type: 'note', zone: 'x', requestId: ids[n] as string }],
        end: end.map(({ pick, state }) => ({ id: this.#id(pick), state, reason: 'squashed' })),
        amend: amend.map((change) => this.#change(change)),
      })),
    });
  }

  #change({ pick, from, neverSent, callers, reason, to, patch }: ChangeCommand): Change {
    const { expiresIn, unresolved, resultBytes, ...same } = patch;
    const changed: RequestPatch = {
      ...same,
      expiresAt: expiresIn === undefined || expiresIn === null ? expiresIn : this.#now + expiresIn,
      progress: unresolved === undefined ? undefined : { ...NO_PROGRESS, unresolved },
      result: resultBytes === undefined ? undefined : { status: 201, headers: [], body: new Uint8Array(resultBytes) },
    };
    return {
      id: this.#id(pick),
      from: from ?? REQUEST_STATES,
      neverSent,
      callers,
      reason,
      to: to === undefined ? undefined : this.#move(to),
      patch: changed,
    };
  }

  #move({ state, reason, dueIn }: MoveCommand): Move {
    return { state, reason, dueAt: dueIn === undefined ? undefined : this.#now + dueIn };
  }

  async #find({ filter, order, limit }: CommandOf<'find'>): Promise<unknown> {
    const found: string[] = [];
    let after: number | null = null;
    do {
      const page = await this.#backend.requests.find({ filter: this.#filter(filter), order, after, limit });
      found.push(...page.requests.map(({ id }) => id));
      after = page.next;
    } while (after !== null);
    return found;
  }

  #filter({ picks, before, after, ...same }: CommandOf<'find'>['filter']): RequestFilter {
    return {
      ...same,
      ids: picks?.map((pick) => this.#id(pick)),
      acceptedBefore: before === undefined ? undefined : this.#now + before,
      acceptedAfter: after === undefined ? undefined : this.#now + after,
    };
  }

  async #counts(query: { filter?: RequestFilter }): Promise<string[]> {
    return (await this.#backend.requests.count(query)).map((row) => tell(row)).sort();
  }

  async #tokens(ids: readonly string[]): Promise<(number | undefined)[]> {
    return (await this.#backend.requests.get({ ids })).map((found) => found?.lease?.token);
  }

  #id(pick: number): string {
    return this.#ids[this.#ids.length - 1 - (pick % (this.#ids.length || 1))] ?? 'none';
  }
}

/** JSON with keys in order, bytes as text, words for people left out, and `moved` in an order of its own. */
function tell(value: unknown): string {
  return (
    JSON.stringify(value, (name, inner: unknown) => {
      if (name === 'detail') return undefined;
      if (inner instanceof Uint8Array) return `bytes:${Buffer.from(inner).toString('hex')}`;
      if ((name === 'moved' || name === 'recovered') && Array.isArray(inner)) return inner.map(tell).sort();
      if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
      return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? 'undefined'
  );
}
