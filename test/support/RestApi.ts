import type { Json } from '../../src/queue/types/request.ts';
import type { ReceivedRequest, ServerAnswer } from '../../src/testing/serverSteps.ts';

interface Thing {
  readonly fields: { readonly [key: string]: Json };
  readonly version: number;
}

export interface RestApiOptions {
  /** Tells versions by ETag, and honours If-Match. @default true */
  readonly hasEtags?: boolean | undefined;
  /** Tells the version also in the answer to a write. @default true */
  readonly hasEtagsOnWrites?: boolean | undefined;
  /** Tells where what was made is. @default true */
  readonly hasLocation?: boolean | undefined;
  /** Puts `version` into each thing, raised with each change. @default false */
  readonly hasVersionField?: boolean | undefined;
  /** Fields that no two things of a collection may share: 409. @default [] */
  readonly unique?: readonly string[] | undefined;
}

/** Something that really happened to a thing. */
export interface AppliedChange {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/**
 * An API of things in collections, as many are: `POST /tickets`, `GET`, `PUT`, `PATCH` (merge patch) and `DELETE /tickets/7`, `GET /tickets?name=x` (a list
 * of those that match). Ids are numbers. Answers as the `respond` of a scripted or fake server, whose ledger knows keys.
 */
export class RestApi {
  /** Every change that took effect, in order: what duplicates and losses are counted by. */
  readonly changes: AppliedChange[] = [];
  readonly #things = new Map<string, Thing>();
  /** The last version of each path: what is made anew where something was removed goes on from there. */
  readonly #versions = new Map<string, number>();
  readonly #options: RestApiOptions;
  #lastId = 500;

  constructor(options: RestApiOptions = {}) {
    this.#options = options;
  }

  /** A thing as it stands: `/tickets/501`. */
  at(path: string): { readonly [key: string]: Json } | undefined {
    const thing = this.#things.get(path);
    return thing === undefined ? undefined : this.#shown(path, thing);
  }

  /** Those of a collection, in the order in which they were made. */
  all(collection: string): { readonly [key: string]: Json }[] {
    const found: { readonly [key: string]: Json }[] = [];
    for (const [path, thing] of this.#things) {
      if (path.slice(0, path.lastIndexOf('/')) === collection) found.push(this.#shown(path, thing));
    }
    return found;
  }

  /** Somebody else changes a thing. */
  edit(path: string, fields: { readonly [key: string]: Json }): void {
    const thing = this.#things.get(path);
    this.#put(path, { ...thing?.fields, ...fields });
  }

  /** Somebody else removes a thing. */
  remove(path: string): void {
    this.#things.delete(path);
  }

  readonly respond = (request: ReceivedRequest): ServerAnswer => {
    const url = new URL(request.path, 'http://api.test');
    switch (request.method) {
      case 'GET':
        return this.#read(url);
      case 'POST':
        return this.#create(url.pathname, request);
      case 'PUT':
      case 'PATCH':
        return this.#write(url.pathname, request);
      case 'DELETE':
        return this.#delete(url.pathname, request);
      default:
        return { status: 405 };
    }
  };

  #read({ pathname, searchParams }: URL): ServerAnswer {
    const thing = this.#things.get(pathname);
    if (thing !== undefined) return this.#answer(200, pathname, thing, [], true);
    if (/\/\d+$/.test(pathname)) return { status: 404, body: { error: 'not found' } };
    const items = this.all(pathname).filter((item) =>
      [...searchParams].every(([name, value]) => String(item[name]) === value),
    );
    return { status: 200, body: items };
  }

  #create(collection: string, request: ReceivedRequest): ServerAnswer {
    const fields = JSON.parse(request.body === '' ? '{}' : request.body) as { readonly [key: string]: Json };
    for (const name of this.#options.unique ?? []) {
      const isTaken = this.all(collection).some((item) => name in fields && item[name] === fields[name]);
      if (isTaken) return { status: 409, body: { error: `${name} exists` } };
    }
    this.#lastId += 1;
    const path = `${collection}/${this.#lastId}`;
    const thing = this.#put(path, fields);
    this.#note(request);
    return this.#answer(201, path, thing, this.#options.hasLocation === false ? [] : [['location', path]]);
  }

  #write(path: string, request: ReceivedRequest): ServerAnswer {
    const thing = this.#things.get(path);
    const refused = this.#refuses(request, thing);
    if (refused !== undefined) return refused;
    if (thing === undefined && request.method === 'PATCH') return { status: 404, body: { error: 'not found' } };
    const given = JSON.parse(request.body) as { readonly [key: string]: Json };
    const kept = request.method === 'PATCH' ? (thing?.fields ?? {}) : {};
    const fields = Object.fromEntries(
      Object.entries({ ...kept, ...given }).filter(
        ([name, value]) => value !== null && name !== 'id' && name !== 'version',
      ),
    );
    const next = this.#put(path, fields);
    this.#note(request);
    return this.#answer(thing === undefined ? 201 : 200, path, next);
  }

  #delete(path: string, request: ReceivedRequest): ServerAnswer {
    const thing = this.#things.get(path);
    if (thing === undefined) return { status: 404, body: { error: 'not found' } };
    const refused = this.#refuses(request, thing);
    if (refused !== undefined) return refused;
    this.#things.delete(path);
    this.#note(request);
    return { status: 204 };
  }

  #refuses(request: ReceivedRequest, thing: Thing | undefined): ServerAnswer | undefined {
    const expected = request.headers.find(([name]) => name === 'if-match')?.[1];
    if (expected === undefined || this.#options.hasEtags === false) return undefined;
    const isMet = thing !== undefined && expected === etagOf(thing);
    return isMet ? undefined : { status: 412, body: { error: 'another version' } };
  }

  #put(path: string, fields: { readonly [key: string]: Json }): Thing {
    const version = (this.#versions.get(path) ?? 0) + 1;
    this.#versions.set(path, version);
    const thing = { fields, version };
    this.#things.set(path, thing);
    return thing;
  }

  #shown(path: string, { fields, version }: Thing): { readonly [key: string]: Json } {
    const id = Number(path.slice(path.lastIndexOf('/') + 1));
    return { id, ...fields, ...(this.#options.hasVersionField === true && { version }) };
  }

  #answer(
    status: number,
    path: string,
    thing: Thing,
    more: readonly (readonly [string, string])[] = [],
    isRead = false,
  ): ServerAnswer {
    const { hasEtags, hasEtagsOnWrites } = this.#options;
    const isSilent = hasEtags === false || (!isRead && hasEtagsOnWrites === false);
    const etag: readonly (readonly [string, string])[] = isSilent ? [] : [['etag', etagOf(thing)]];
    return { status, headers: [...etag, ...more], body: this.#shown(path, thing) };
  }

  #note({ method, path, body }: ReceivedRequest): void {
    this.changes.push({ method, path, body });
  }
}

function etagOf({ version }: Thing): string {
  return `"v${version}"`;
}
