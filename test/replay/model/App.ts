import { ApiClient } from '../../../src/client/ApiClient.ts';
import type { Call } from '../../../src/client/Call.ts';
import type { Resource } from '../../../src/client/Resource.ts';
import { holdfastError } from '../../../src/errors.ts';
import { headerValue } from '../../../src/queue/strategies/headerValue.ts';
import { jsonOf } from '../../../src/queue/strategies/json.ts';
import { isJsonObject } from '../../../src/queue/strategies/jsonValue.ts';
import type { HttpResponse } from '../../../src/queue/types/request.ts';
import type { TestQueue } from '../../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';
import type { Answer, Wish } from './history.ts';
import type { Asking, Known } from './Memory.ts';
import { Memory, pathOf } from './Memory.ts';
import { MERGED_FIELDS } from './rules.ts';
import type { Site } from './Site.ts';
import { BAD_HEADER, WISH_HEADER } from './Site.ts';
import type { Ask, Scenario } from './scenario.ts';

/** One wish and what came of it, as far as the app heard. */
export interface Asked {
  readonly wish: Wish;
  readonly ask: Ask;
  readonly asking: Asking;
  /** The same each time it is asked for. */
  readonly deadline: number | undefined;
  acceptance: Answer['acceptance'];
  told: Answer['told'];
  isHanging: boolean;
  isAskedAgain: boolean;
}

/** An app that works on a few things through the queue, and remembers what it asked for. */
export class App {
  readonly asked: Asked[] = [];
  readonly memory: Memory;
  /** How often the end of each request was announced. */
  readonly ends = new Map<string, number>();
  readonly #test: TestQueue;
  readonly #site: Site;
  readonly #scenario: Scenario;
  #life = 0;
  #api: ApiClient;
  #resources: ReadonlyMap<string, Resource>;

  constructor(test: TestQueue, site: Site, scenario: Scenario) {
    this.#test = test;
    this.#site = site;
    this.#scenario = scenario;
    this.memory = new Memory(scenario, site, (type) => test.queue.localId(type));
    [this.#api, this.#resources] = this.#connect();
  }

  get lives(): number {
    return this.#life + 1;
  }

  /** A new process, after the old one died. */
  restart(): void {
    this.#life += 1;
    [this.#api, this.#resources] = this.#connect();
    for (const { localId = '' } of this.memory.unbound) {
      void this.#test.queue.serverId(localId).then((serverId) => {
        if (serverId !== undefined) this.memory.bound(localId, serverId);
      });
    }
    for (const asked of this.asked) {
      asked.isHanging = false;
      if (asked.acceptance !== 'unheard' || !asked.ask.isRepeatable) continue;
      asked.isAskedAgain = true;
      this.#give(asked);
    }
  }

  /** Gives the queue what is wished for. */
  ask(ask: Ask): void {
    const n = this.asked.length;
    const { plan, asking } = this.memory.plan(n, ask);
    const { isAwaited, isBad, deadlineMs } = ask;
    const asked: Asked = {
      wish: { n, ...plan, isAwaited, isBad, hasDeadline: deadlineMs !== null, life: this.#life },
      ask,
      asking,
      deadline: deadlineMs === null ? undefined : this.#test.clock.now() + deadlineMs,
      acceptance: 'unheard',
      told: null,
      isHanging: false,
      isAskedAgain: false,
    };
    this.asked.push(asked);
    this.#give(asked);
  }

  /** Looks what the server has at a slot; changes made later are based on that. */
  read(slot: number): void {
    const known = this.memory.at(slot);
    if (known?.serverId === undefined) return;
    const { copy } = known;
    void this.#api
      .get(pathOf(known, true))
      .settled()
      .then(({ response }) => {
        // An answer that was slow does not undo what was read since.
        if (known.copy === copy) this.#learn(known, response);
      });
  }

  /** What the server shows of a thing is what the app knows of it. */
  #learn(known: Known | undefined, response: HttpResponse | undefined): void {
    if (known === undefined || response === undefined || response.status < 200 || response.status > 299) return;
    const shown = jsonOf(response.body);
    const etag = headerValue(response.headers, 'etag');
    if (!isJsonObject(shown) || etag === undefined) return;
    const { id, ...fields } = shown;
    known.copy = { fields, etag, at: this.#site.madeAt(`${known.collection}/${id}`, etag) };
  }

  #connect(): [ApiClient, ReadonlyMap<string, Resource>] {
    const { queue } = this.#test;
    queue.on('request:settled', ({ requestId = '' }) => {
      this.ends.set(requestId, (this.ends.get(requestId) ?? 0) + 1);
    });
    queue.on('id:bound', ({ localId, serverId }) => this.memory.bound(localId, serverId));
    const api = new ApiClient({ queue, baseUrl: TEST_ORIGIN });
    if (this.#scenario.flavour !== 'conditional') return [api, new Map()];
    const { onGone, deleteWins } = this.#scenario;
    const rules = { version: 'etag', onConflict: { merge: { fields: MERGED_FIELDS } }, onGone, deleteWins } as const;
    const paths = ['/tickets', '/notes'];
    return [api, new Map(paths.map((path) => [path, api.resource(path, { path, ...rules })]))];
  }

  #give(asked: Asked): void {
    const life = this.#life;
    const call = this.#call(asked);
    call.accepted().then(
      () => {
        asked.acceptance = 'accepted';
      },
      (error: unknown) => {
        asked.acceptance = { refused: holdfastError(error)?.code ?? String(error) };
      },
    );
    if (!asked.wish.isAwaited) return;
    asked.isHanging = true;
    call.settled().then(
      ({ state, reason, response }) => {
        asked.told = { state, reason };
        if (life !== this.#life) return;
        asked.isHanging = false;
        if (asked.wish.kind !== 'act') this.#learn(this.memory.of(asked.wish.thing), response);
      },
      () => {
        if (life === this.#life) asked.isHanging = false;
      },
    );
  }

  #call({ wish, ask, asking, deadline }: Asked): Call {
    const { method, path, body, contentType, etag, ...given } = asking;
    const headers = {
      [WISH_HEADER]: String(wish.n),
      ...(wish.isBad && { [BAD_HEADER]: 'yes' }),
      ...(contentType !== undefined && { 'content-type': contentType }),
    };
    const tag = `w${wish.n}`;
    const options = { ...given, headers, deadline, tags: [tag], key: ask.isRepeatable ? tag : undefined };
    const resource = this.#resources.get(method === 'POST' ? path : path.slice(0, path.lastIndexOf('/')));
    if (resource === undefined) return this.#api.request(method, path, body, options);
    const id = path.slice(path.lastIndexOf('/') + 1);
    switch (method) {
      case 'POST':
        return resource.create(body, options);
      case 'PUT':
        return resource.replace(id, body, { ...options, etag });
      case 'DELETE':
        return resource.delete(id, { ...options, etag });
      case 'PATCH':
        return resource.update(id, body, { ...options, etag });
      default:
        return method satisfies never;
    }
  }
}
