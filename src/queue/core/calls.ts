import { createHash } from 'node:crypto';
import { HoldfastError } from '../../errors.ts';
import { parseLocalId } from '../strategies/localId.ts';
import type { Accepted, ClientBinding, RequestHandle, RequestInput, RequestOptions } from '../types/calls.ts';
import type { FetchCall } from '../types/fetch.ts';
import type { StoredRequest } from '../types/request.ts';
import type { RequestStore } from '../types/store.ts';
import type { Admission } from './admit.ts';
import type { Engine } from './Engine.ts';
import { Moment } from './moment.ts';
import { openMakers } from './references.ts';
import type { Desk } from './submission.ts';
import { StoredSubmission, Submission } from './submission.ts';
import { invalidRequest } from './target.ts';
import { keyOf } from './wire.ts';
import type { Departure, Withdrawn } from './withdrawal.ts';

/** One request of `enqueueMany`. */
export interface RequestItem {
  readonly request: RequestInput;
  readonly options?:
    | (Omit<RequestOptions, 'after'> & { readonly after?: readonly (string | number)[] | undefined })
    | undefined;
}

/** The ways in: turns calls into submissions and hands them to the intake. */
export class Calls implements Desk {
  readonly callers;
  readonly clock;
  readonly #engine: Engine;
  #moment: Moment | undefined;
  readonly #clientNames = new Set<string>();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.callers = engine.callers;
    this.clock = engine.context.clock;
  }

  moment(): Moment {
    if (this.#moment === undefined || this.#moment.isOver) this.#moment = new Moment(() => this.#engine.turns);
    return this.#moment;
  }

  call(input: RequestInput, options: RequestOptions = {}, client?: ClientBinding): RequestHandle {
    return this.#submit({ id: this.#idFor(options), input, options, client, durable: false });
  }

  /** A call of `fetch`. */
  fetch(input: RequestInput, options: RequestOptions, fetch: FetchCall): RequestHandle {
    const id = this.#idFor(options);
    if (fetch.caller !== undefined) this.#engine.fetchCallers.add(id, fetch.caller);
    return this.#submit({ id, input, options, client: undefined, durable: fetch.durable, fetch });
  }

  enqueue(input: RequestInput, options: RequestOptions): RequestHandle {
    return this.#submit({ id: this.#idFor(options), input, options, client: undefined, durable: true });
  }

  /** `under` fills in what the scope of the call says. */
  enqueueMany(
    items: readonly RequestItem[],
    under: (options: RequestOptions) => RequestOptions | undefined,
  ): RequestHandle[] {
    for (const [index, { options }] of items.entries()) checkItem(options, index);
    const ids = items.map(({ options }) => this.#idFor(options));
    assertDifferent(ids);
    const afters = items.map(({ options }, index) => options?.after?.map((one) => earlier(one, index, ids)));
    // From here on nothing throws: whoever listens to a signal is given to the intake.
    const calls = items.map((item, index) => {
      const own: RequestOptions = { ...item.options, after: afters[index] };
      const options = under(own) ?? own;
      const id = ids[index] as string; // as many ids as items
      const submission = new Submission(id, this, options.signal);
      if (options.signal !== undefined) this.#engine.attempts.abortable.add(id, () => submission.ended());
      return { submission, admission: { id, input: item.request, options, client: undefined, durable: true } };
    });
    this.#engine.intake.push(calls, true);
    return calls.map(({ submission }) => submission);
  }

  handle(id: string): RequestHandle {
    return new StoredSubmission(id, this);
  }

  /**
   * Accepts dead letters anew, all or none: same bytes, same key for the server, a new place in their lanes, waiting for each other as before. The new id
   * follows from the old one, so that a replay that was cut off, or made by two processes at once, is accepted once.
   */
  async replay(dead: readonly StoredRequest[]): Promise<Accepted[]> {
    const { requests } = this.#engine.context.backend;
    const admissions = await Promise.all(
      dead.map(async (one) => this.#replayOf(one, await predecessorsOf(requests, one, dead))),
    );
    const calls = admissions.map((admission) => ({ submission: new Submission(admission.id, this), admission }));
    this.#engine.intake.push(calls, calls.length > 1);
    return Promise.all(calls.map(({ submission }) => submission.accepted()));
  }

  #replayOf(dead: StoredRequest, after: readonly string[]): Admission {
    const zone = this.#engine.zones.mustBeNamed(dead.zone);
    const { method, path, headers, body, fetch } = dead.content;
    const options: RequestOptions = {
      priority: dead.priority,
      effect: dead.effect,
      tags: dead.tags,
      principal: dead.principal,
      zone: dead.zone,
      base: dead.base,
      onFailure: dead.onFailure ?? 'continue',
      dedupe: false,
    };
    return {
      id: replayId(dead.id),
      input: { method, url: `${zone.policy.origin}${path}`, headers, body },
      options,
      client: undefined,
      durable: true,
      replay: {
        of: dead.id,
        idempotencyKey: keyOf(dead),
        lane: dead.lane,
        auth: dead.auth,
        client: dead.client,
        fetch,
        intent: dead.intent,
        after,
        refs: dead.refs,
      },
    };
  }

  register(client: ClientBinding): () => void {
    if (this.#clientNames.has(client.name)) {
      const problems = [{ path: 'name', expected: 'a name no other client of this queue has', got: client.name }];
      throw new HoldfastError('CONFIG_INVALID', `two clients of one queue are named "${client.name}"`, { problems });
    }
    this.#clientNames.add(client.name);
    const undo = this.#engine.register(client);
    return () => {
      if (this.#clientNames.delete(client.name)) undo();
    };
  }

  find(id: string): Promise<Accepted> {
    return this.#engine.lookup.acceptance(id);
  }

  lookUp(id: string): void {
    this.#engine.lookup.tellCallers(id).catch((error: unknown) => this.callers.fail(id, error));
  }

  leave(id: string): Promise<Withdrawn> {
    this.#moment?.end();
    return this.#engine.withdrawal.leave(id);
  }

  cancel(id: string, force: boolean): Promise<boolean> {
    this.#moment?.end();
    return this.#engine.withdrawal.cancel(id, force);
  }

  abandon(id: string, reason: unknown, departure: Departure): Promise<Withdrawn> {
    this.#moment?.end();
    return this.#engine.withdrawal.abandon(id, reason, departure);
  }

  /** A local id names the request that will give the server id: it has been minted already. */
  #idFor(options: { readonly localId?: string | undefined } | undefined): string {
    return parseLocalId(options?.localId)?.requestId ?? this.#engine.context.ids.next();
  }

  #submit(admission: Admission): Submission {
    const { signal } = admission.options;
    if (signal !== undefined && typeof signal.addEventListener !== 'function') {
      const submission = new Submission(admission.id, this);
      submission.refuse(invalidRequest([{ path: 'signal', expected: 'an AbortSignal', got: typeof signal }]));
      return submission;
    }
    const submission = new Submission(admission.id, this, signal, admission.fetch !== undefined);
    if (signal?.aborted === true) {
      this.#engine.fetchCallers.forget(admission.id);
      submission.refuse(signal.reason);
      return submission;
    }
    if (signal !== undefined) this.#engine.attempts.abortable.add(admission.id, () => submission.ended());
    this.#engine.intake.pushOne(submission, admission);
    return submission;
  }
}

/** What a replay waits for: those it waited for that are replayed with it, and who gives the ids it refers to. */
async function predecessorsOf(
  store: RequestStore,
  dead: StoredRequest,
  replayed: readonly StoredRequest[],
): Promise<readonly string[]> {
  const together = new Set(replayed.map(({ id }) => id));
  const makers = await openMakers(store, dead.refs);
  const after = [...dead.after.filter((id) => together.has(id)), ...makers];
  return [...new Set(after.map((id) => (together.has(id) ? replayId(id) : id)))];
}

/** A UUIDv7 of the same time, with the rest derived. */
function replayId(id: string): string {
  const hex = createHash('sha256').update(`replay ${id}`).digest('hex');
  const variant = '89ab'[Number.parseInt(hex[0] as string, 16) & 3]; // a digest is not empty
  return `${id.slice(0, 13)}-7${hex.slice(1, 4)}-${variant}${hex.slice(4, 7)}-${hex.slice(7, 19)}`;
}

function checkItem(options: RequestItem['options'], index: number): void {
  const { signal, after } = options ?? {};
  if (after !== undefined && !Array.isArray(after)) {
    throw invalidRequest([{ path: `[${index}].after`, expected: 'an array of ids and indexes', got: typeof after }]);
  }
  if (signal === undefined) return;
  if (typeof signal.addEventListener !== 'function') {
    throw invalidRequest([{ path: `[${index}].signal`, expected: 'an AbortSignal', got: typeof signal }]);
  }
  signal.throwIfAborted();
}

function assertDifferent(ids: readonly string[]): void {
  const seen = new Set<string>();
  const index = ids.findIndex((id) => seen.size === seen.add(id).size);
  if (index === -1) return;
  throw invalidRequest([
    { path: `[${index}].localId`, expected: 'a local id of its own', got: 'that of another item' },
  ]);
}

function earlier(one: string | number, index: number, ids: readonly string[]): string {
  if (typeof one === 'string') return one;
  const id = one < index ? ids[one] : undefined;
  if (id !== undefined) return id;
  throw invalidRequest([
    { path: `[${index}].after`, expected: `an id or the index of an earlier item`, got: String(one) },
  ]);
}
