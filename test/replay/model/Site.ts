import type { TestQueue } from '../../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';
import type { FakeServer } from '../../../src/testing/FakeServer.ts';
import type { ReceivedRequest, ServerAnswer } from '../../../src/testing/serverSteps.ts';
import { RestApi } from '../../support/RestApi.ts';
import type { Fault } from './faults.ts';
import { stepOf } from './faults.ts';
import type { Fields, Happening } from './history.ts';
import type { Field, Scenario } from './scenario.ts';

/** Names the wish a call is of. */
export const WISH_HEADER = 'x-wish';
/** On what the server is to refuse. */
export const BAD_HEADER = 'x-bad';

/** The server of a run: an API of things, the faults on the way to it, other people, and the log of all that. */
export class Site {
  readonly log: Happening[] = [];
  readonly #api: RestApi;
  readonly #server: FakeServer;
  readonly #faults: readonly Fault[];
  #arrivals = 0;
  readonly #madeAt = new Map<string, number>();

  constructor({ network, clock }: TestQueue, { flavour, hasLocation, faults, steps }: Scenario) {
    this.#faults = faults;
    // How long ago a request was sent is told by the wall until it is looked at first: where that is set forward, it may be looked for too early.
    const mayBeLate = !steps.some(({ event }) => event?.what === 'wall' && event.ms > 0);
    this.#api = new RestApi({ hasLocation, hasEtags: flavour === 'conditional' });
    const keyHeader = flavour === 'keyed' ? undefined : null;
    this.#server = network.serve(TEST_ORIGIN, { respond: (request) => this.#respond(request), keyHeader });
    this.#server.script.always((request) => {
      const fault = this.#nextFault();
      if (fault !== 'refused') this.log.push({ what: 'arrival', by: wishOf(request), ...callOf(request), fault });
      return stepOf(fault, request, { server: this.#server, clock, mayBeLate });
    });
  }

  /** Faults met so far. */
  get failed(): number {
    return this.#faults.slice(0, this.#arrivals).filter((fault) => fault !== 'none').length;
  }

  /** Puts a thing there before anybody looks. */
  put(path: string, fields: Fields): void {
    this.#api.edit(path, fields);
  }

  /** The version of a thing as a read of it would tell. */
  etagAt(path: string): string | undefined {
    const { headers = [] } = this.#api.respond({
      n: 0,
      origin: TEST_ORIGIN,
      method: 'GET',
      path,
      headers: [],
      body: '',
    });
    return headers.find(([name]) => name === 'etag')?.[1];
  }

  /** How long the log was when a thing got that version. */
  madeAt(path: string, etag: string | undefined): number {
    return this.#madeAt.get(`${path} ${etag}`) ?? 0;
  }

  /** Somebody else sets a field of a thing, if it is there. */
  edit(path: string, field: Field): void {
    const before = this.#at(path);
    if (before === null) return;
    this.#api.edit(path, { [field]: `x${this.log.length}` });
    this.#changed(null, path, before);
  }

  remove(path: string): void {
    const before = this.#at(path);
    if (before === null) return;
    this.#api.remove(path);
    this.#changed(null, path, before);
  }

  /** What it has there, by path. */
  states(paths: Iterable<string>): Map<string, Fields> {
    const states = new Map<string, Fields>();
    for (const path of paths) {
      const fields = this.#at(path);
      if (fields !== null) states.set(path, fields);
    }
    return states;
  }

  #nextFault(): Fault {
    const fault = this.#faults[this.#arrivals] ?? 'none';
    this.#arrivals += 1;
    return fault;
  }

  #respond(request: ReceivedRequest): ServerAnswer {
    if (request.headers.some(([name]) => name === BAD_HEADER)) return { status: 422, body: { error: 'not so' } };
    const given = request.path.split('?', 1)[0] ?? '';
    const before = request.method === 'POST' ? null : this.#at(given);
    const changes = this.#api.changes.length;
    const answer = this.#api.respond(request);
    if (this.#api.changes.length > changes) {
      const path = request.method === 'POST' ? `${given}/${(answer.body as { readonly id: number }).id}` : given;
      this.#changed(wishOf(request), path, before);
    }
    return answer;
  }

  #changed(by: number | null, path: string, before: Fields | null): void {
    this.log.push({ what: 'change', by, path, before, after: this.#at(path) });
    this.#madeAt.set(`${path} ${this.etagAt(path)}`, this.log.length);
  }

  /** Without its id, which its path tells. */
  #at(path: string): Fields | null {
    const shown = this.#api.at(path);
    if (shown === undefined) return null;
    const { id: _, ...fields } = shown;
    return fields;
  }
}

function wishOf({ headers }: ReceivedRequest): number | null {
  const n = headers.find(([name]) => name === WISH_HEADER)?.[1];
  return n === undefined ? null : Number(n);
}

function callOf({ method, path, headers, body }: ReceivedRequest) {
  const guard = headers.find(([name]) => name === 'if-match')?.[1] ?? null;
  return { call: [method, path, body].join(' '), guard };
}
