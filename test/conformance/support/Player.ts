import type { Backend, OpenOptions } from '../../../src/queue/types/backend.ts';
import type { Binding } from '../../../src/queue/types/binding.ts';
import type {
  Carried,
  Firing,
  NewRequest,
  RequestFilter,
  StoredRequest,
  StoredResult,
} from '../../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import { isTerminal, REQUEST_STATES } from '../../../src/queue/types/states.ts';
import type { Change, ClaimResult, Move, RequestPatch, Settlement } from '../../../src/queue/types/store.ts';
import type {
  BindingCommand,
  CarriedCommand,
  ChangeCommand,
  Command,
  MoveCommand,
  NewRequestCommand,
  PatchCommand,
} from './commands.ts';

type CommandOf<Verb extends Command['verb']> = Extract<Command, { verb: Verb }>;

const WORKER = 'worker-1';
const LEASE_MS = 30_000;
/** A pick from here on may mean what was refused or is not leased. */
const LOST = 27;

/** Plays commands on a backend and tells each answer as text in which only what is promised can differ. */
export class Player {
  readonly #backend: Backend;
  #now = 1_700_000_000_000;
  #leaseNow = 1_000_000;
  /** Ids offered so far; both players of a pair offer the same. */
  readonly #offered: string[] = [];
  /** Those of them that were accepted. */
  readonly #accepted: string[] = [];

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
    const accepted = (await requests.find({ ...all, order: 'accepted' })).requests;
    const bundles: unknown[] = [];
    for (const bundle of new Set(accepted.flatMap((request) => request.bundle ?? []))) {
      bundles.push((await requests.find({ ...all, filter: { bundle }, order: 'ended' })).requests.map(({ id }) => id));
      bundles.push(await this.#counts({ filter: { bundle } }));
    }
    return tell({
      accepted,
      bundles,
      ended: (await requests.find({ ...all, order: 'ended' })).requests.map(({ id }) => id),
      counts: await this.#counts({}),
      looked: await this.#counts({ filter: {} }),
      schedules: await this.#backend.schedules.list({ after: null, limit: 1000 }),
      due: await this.#backend.schedules.due({ now: Number.POSITIVE_INFINITY, limit: 1000 }),
      nextDueAt: await this.#backend.schedules.nextDueAt(),
      bindings: await requests.bindings({ localIds: ['l1', 'l2', 'l3', 'l4', 'l5', 'l6'] }),
    });
  }

  async #answer(command: Command): Promise<unknown> {
    const { requests, schedules } = this.#backend;
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
          channels: ['x', 'y', 'w'].map((channel) => ({ channel, senders: command.askedSenders })),
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
        return this.#counts({ filter: await this.#filter(command.filter) });
      case 'nextDueAt':
        return requests.nextDueAt({
          channels: command.channels.map((channel) => ({ channel, senders: command.askedSenders })),
          after: command.afterIn === null ? null : now + command.afterIn,
        });
      case 'setSchedule': {
        const { name, data } = command;
        const ifVersion = await this.#ifVersion(command);
        return schedules.set({ name, dueAt: this.#due(command.dueIn), data, ifVersion });
      }
      case 'deleteSchedule':
        return schedules.delete({ name: command.name, ifVersion: await this.#ifVersion(command) });
      case 'dueSchedules':
        return schedules.due({ now: now + command.dueBefore, limit: command.limit });
      case 'listSchedules':
        return schedules.list({ after: command.after, limit: command.limit });
      default:
        return command satisfies never;
    }
  }

  async #claim({ channels, askedSenders: senders, calls }: CommandOf<'claim'>): Promise<ClaimResult> {
    return this.#backend.requests.claim({
      worker: WORKER,
      now: this.#now,
      leaseUntil: this.#leaseNow + LEASE_MS,
      channels: channels.map(([channel, terms]) => ({
        channel,
        senders,
        calls: terms.probe === undefined ? calls : 1,
        ...terms,
      })),
    });
  }

  async #enqueue({ requests, atomic, maxSize, maxBytes, calls, within }: CommandOf<'enqueue'>): Promise<unknown> {
    const claim =
      calls === null
        ? null
        : {
            worker: WORKER,
            leaseUntil: this.#leaseNow + LEASE_MS,
            allowance: [
              { channel: 'x', calls, within },
              { channel: 'w', calls, within },
            ],
          };
    const offered: NewRequest[] = [];
    for (const request of requests) offered.push(await this.#newRequest(request, offered));
    const results = await this.#backend.requests.enqueue({
      requests: offered,
      atomic,
      now: this.#now,
      limits: { maxSize, maxBytes },
      claim,
    });
    for (const { status, id } of results.map((result, n) => ({ ...result, id: offered[n]?.id ?? '' }))) {
      if (status === 'accepted' && !this.#accepted.includes(id)) this.#accepted.push(id);
    }
    return results;
  }

  async #newRequest(given: NewRequestCommand, batch: readonly NewRequest[]): Promise<NewRequest> {
    const { again, after, join, notBeforeIn, expiresIn, carried, replaces, fires, onFailure, intent, ...same } = given;
    const earlier = [...this.#accepted, ...batch.map((request) => request.id)];
    const replaced = replaces?.pick === null ? await this.#lastOf(given.lane) : undefined;
    const replacedId =
      replaced?.id ?? (replaces === null || replaces.pick === null ? undefined : at(earlier, replaces.pick));
    const isAgain = again !== null && this.#offered.length > 0;
    const id = isAgain ? at(this.#offered, again) : newId(this.#offered.length);
    if (!isAgain) this.#offered.push(id);
    return {
      ...same,
      id,
      content: { method: 'POST', path: '/', headers: [['a', 'b']], body: id },
      after: after.map((pick) => at(earlier, pick)),
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
      ...(fires !== null && { fires: await this.#firing(fires, batch) }),
      ...(onFailure !== undefined && { onFailure }),
      ...(intent !== undefined && { intent }),
      ...(replaced !== undefined && { principal: replaced.principal }),
      ...(replacedId !== undefined && {
        replaces: {
          id: replacedId,
          ...(typeof replaces?.resultBytes === 'number' && { result: resultOf(replaces.resultBytes) }),
        },
      }),
    };
  }

  /** Of one that is its turn behind the firings before it in the batch, if none of those is refused. */
  async #firing(
    { name, stale, dueIn, data }: NonNullable<NewRequestCommand['fires']>,
    batch: readonly NewRequest[],
  ): Promise<Firing> {
    const before = batch.filter(({ fires }) => fires?.name === name).length;
    return { name, version: (await this.#version(name)) + before + stale, dueAt: this.#due(dueIn), data };
  }

  async #version(name: string): Promise<number> {
    return (await this.#backend.schedules.get({ names: [name] }))[0]?.version ?? 0;
  }

  async #ifVersion({ name, stale }: { name: string; stale: number | null }): Promise<number | undefined> {
    return stale === null ? undefined : Math.max(0, (await this.#version(name)) + stale);
  }

  #due(dueIn: number | null): number | null {
    return dueIn === null ? null : this.#now + dueIn;
  }

  /** The last live request of a lane. */
  async #lastOf(lane: string | null): Promise<StoredRequest | undefined> {
    if (lane === null) return undefined;
    const query = { filter: { lane }, order: 'accepted', after: null, limit: 1000 } as const;
    return (await this.#backend.requests.find(query)).requests.findLast(({ state }) => !isTerminal(state));
  }

  #carried({ dueIn, firstSentIn, unresolved, resultBytes, ...same }: CarriedCommand): Carried {
    return {
      ...same,
      dueAt: dueIn === null ? null : this.#now + dueIn,
      firstSentAt: firstSentIn === null ? null : this.#now + firstSentIn,
      progress: { ...NO_PROGRESS, unresolved },
      result: resultBytes === null ? null : resultOf(resultBytes),
    };
  }

  async #settle({ settlements }: CommandOf<'settle'>): Promise<unknown> {
    const leased = await this.#leased();
    const ids = settlements.map(({ pick }) => (pick < LOST && leased.length > 0 ? at(leased, pick) : this.#id(pick)));
    const tokens = await this.#tokens(ids);
    return this.#backend.requests.settle({
      now: this.#now,
      settlements: settlements.map(
        ({ stale, next, notSent, unresolved, generation, resultBytes, patch, ...more }, n) => ({
          id: ids[n] as string, // one per settlement
          token: (tokens[n] ?? 1) + stale,
          next: this.#move(next),
          progress: { ...NO_PROGRESS, unresolved, ...(generation !== undefined && { generation, rounds: generation }) },
          notSent,
          result: resultBytes === null ? undefined : resultOf(resultBytes),
          patch: patch === undefined ? undefined : changedContent(patch),
          bind: more.bind?.map((binding) => this.#binding(binding, ids[n] as string)),
          end: more.end.map(({ pick, ...to }) => ({ id: this.#id(pick), ...to })),
          amend: more.amend.map((change) => this.#change(change)),
        }),
      ),
    });
  }

  #binding({ boundIn, ...same }: BindingCommand, requestId: string): Binding {
    return { ...same, type: 'note', zone: 'x', requestId, boundAt: this.#now + boundIn };
  }

  #change({ pick, from, neverSent, callers, reason, to, patch, bind }: ChangeCommand): Change {
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
      bind: bind?.map((binding) => this.#binding(binding, this.#id(pick))),
    };
  }

  #move({ state, reason, dueIn }: MoveCommand): Move {
    return { state, reason, dueAt: dueIn === undefined ? undefined : this.#now + dueIn };
  }

  async #find({ filter: given, order, limit }: CommandOf<'find'>): Promise<unknown> {
    const filter = await this.#filter(given);
    const found: string[] = [];
    let after: number | null = null;
    do {
      const page = await this.#backend.requests.find({ filter, order, after, limit });
      found.push(...page.requests.map(({ id }) => id));
      after = page.next;
    } while (after !== null);
    return found;
  }

  async #filter(given: CommandOf<'find'>['filter']): Promise<RequestFilter> {
    if ('bundle' in given) return { ...given, bundle: await this.#bundle(given.bundle) };
    const { picks, before, after, ...same } = given;
    return {
      ...same,
      ids: picks?.map((pick) => this.#id(pick)),
      acceptedBefore: before === undefined ? undefined : this.#now + before,
      acceptedAfter: after === undefined ? undefined : this.#now + after,
    };
  }

  /** The id that a bundle goes by: of one that there is, if any. */
  async #bundle(pick: number): Promise<string> {
    const query = { filter: { reason: 'abandoned' }, order: 'accepted', after: null, limit: 1000 } as const;
    const victims = (await this.#backend.requests.find(query)).requests.flatMap(({ bundle }) => bundle ?? []);
    return victims[pick % victims.length] ?? this.#id(pick);
  }

  async #counts(query: { filter?: RequestFilter }): Promise<string[]> {
    return (await this.#backend.requests.count(query)).map((row) => tell(row)).sort();
  }

  async #tokens(ids: readonly string[]): Promise<(number | undefined)[]> {
    return (await this.#backend.requests.get({ ids })).map((found) => found?.lease?.token);
  }

  /** What can be settled. */
  async #leased(): Promise<string[]> {
    const query = { filter: { state: ['sending', 'unknown'] }, order: 'accepted', after: null, limit: 1000 } as const;
    return (await this.#backend.requests.find(query)).requests.map(({ id }) => id);
  }

  #id(pick: number): string {
    return at(pick < LOST ? this.#accepted : this.#offered, pick);
  }
}

/** One of some ids, counted from the end. */
function at(ids: readonly string[], pick: number): string {
  return ids[ids.length - 1 - (pick % (ids.length || 1))] ?? 'none';
}

function newId(n: number): string {
  return `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`;
}

function resultOf(bytes: number): StoredResult {
  return { status: 200, headers: [['a', 'b']], body: new Uint8Array(bytes) };
}

function changedContent({ body, base }: PatchCommand): Required<Settlement>['patch'] {
  const fetch = body === '' ? { fetch: { redirect: 'manual' } as const } : {};
  return {
    base,
    content: body === undefined ? undefined : { method: 'PUT', path: '/p', headers: [['x', 'y']], body, ...fetch },
  };
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
