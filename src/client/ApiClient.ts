import { HoldfastError } from '../errors.ts';
import { refusedHandle } from '../queue/core/handles/refusedHandle.ts';
import type { ResourceQueue } from '../queue/core/resources.ts';
import type { CallQueue, ClientBinding, RequestHandle, RequestOptions } from '../queue/types/calls.ts';
import type { HeaderList } from '../queue/types/request.ts';
import { Call } from './Call.ts';
import { headerPairs, mergeHeaders } from './clientHeaders.ts';
import type { ApiClientOptions, CallOptions } from './clientOptions.ts';
import { callRequestOptions, clientRequestOptions } from './clientOptions.ts';
import { ClientUrl } from './clientUrl.ts';
import { Resource } from './Resource.ts';
import type { ResourceOptions } from './resourceOptions.ts';
import { assertResource } from './resourceOptions.ts';

/**
 * Calls one API through a queue. A call is given to the queue at once, in the order of the calls, and is a promise of its
 * result. Wrong input rejects the call; it never throws.
 *
 * @throws CONFIG_INVALID from the constructor, also when the queue has a client of that name
 * @throws BACKEND_UNAVAILABLE from the constructor, where it has `auth` and the queue is not started
 * @example
 * const api = new ApiClient({ queue, baseUrl: 'https://api.example.com/v1', auth: bearerToken(() => session.token) });
 * const note = await api.post('/notes', { text: 'hi' }, { schema: Note });
 */
export class ApiClient {
  readonly name: string;
  readonly #queue: CallQueue;
  readonly #url: ClientUrl;
  readonly #headers: HeaderList | undefined;
  readonly #defaults: RequestOptions | undefined;
  readonly #binding: ClientBinding | undefined;
  #unregister: (() => void) | undefined;
  readonly #resources: { close(): void }[] = [];
  #closed = false;

  constructor(options: ApiClientOptions) {
    this.#defaults = clientRequestOptions(options);
    this.#url = new ClientUrl(options.baseUrl);
    this.#queue = options.queue;
    this.name = options.name ?? this.#url.base;
    // Frozen, so that the queue sees the same list at every call.
    this.#headers = options.headers === undefined ? undefined : Object.freeze(headerPairs(options.headers));
    if (options.auth !== undefined) {
      this.#binding = Object.freeze({ name: this.name, auth: options.auth, principal: options.principal });
      this.#unregister = this.#queue.register(this.#binding);
    }
  }

  /** Reads. Rejects with REQUEST_EXPIRED where it could not be sent within `readTtlMs`. */
  get<T = unknown>(path: string, options?: CallOptions<T>): Call<T> {
    return this.request('GET', path, undefined, options);
  }

  /** The headers are in `withResponse()`; the body is always undefined. */
  head(path: string, options?: CallOptions<undefined>): Call<undefined> {
    return this.request('HEAD', path, undefined, options);
  }

  /** `body`: a string, bytes, `FormData`, `Blob`, `URLSearchParams`, or a plain value that is sent as JSON. */
  post<T = unknown>(path: string, body?: unknown, options?: CallOptions<T>): Call<T> {
    return this.request('POST', path, body, options);
  }

  /** Puts the whole of a thing in its place; those of one path are sent one at a time, in the order of the calls. */
  put<T = unknown>(path: string, body?: unknown, options?: CallOptions<T>): Call<T> {
    return this.request('PUT', path, body, options);
  }

  /** Sends plain values as `application/json`: with the header `content-type: application/merge-patch+json` it may be sent again where its answer was lost. */
  patch<T = unknown>(path: string, body?: unknown, options?: CallOptions<T>): Call<T> {
    return this.request('PATCH', path, body, options);
  }

  /** Removes a thing. That it is not there any more is no failure. */
  delete<T = unknown>(path: string, options?: CallOptions<T>): Call<T> {
    return this.request('DELETE', path, undefined, options);
  }

  /**
   * One kind of thing the API has, with what is to be done about conflicts and unknown outcomes, declared once.
   *
   * @throws CONFIG_INVALID for wrong options, and a name that this client has given before
   * @example
   * const tickets = api.resource('ticket', { path: '/tickets', schema: Ticket, version: 'etag', onConflict: 'merge' });
   * await tickets.update(7, { title: 'new' });
   */
  resource<T = unknown>(name: string, options: ResourceOptions<T>): Resource<T> {
    this.#assertOpen();
    assertResource(name, options);
    const queue = this.#queue;
    if (!hasResources(queue)) {
      const problems = [{ path: 'queue', expected: 'a queue that knows resources', got: 'another one' }];
      throw new HoldfastError('CONFIG_INVALID', `The queue of the client ${this.name} knows no resources.`, {
        problems,
      });
    }
    const resource = new Resource<T>(`${this.name}#${name}`, options, queue, (...call) => this.#request(...call));
    this.#resources.push(resource);
    return resource;
  }

  /** Any method, for the rare ones: QUERY, OPTIONS, a DELETE with a body. */
  request<T = unknown>(method: string, path: string, body?: unknown, options?: CallOptions<T>): Call<T> {
    return this.#request(method, path, body, options);
  }

  #request<T>(
    method: string,
    path: string,
    body: unknown,
    options: CallOptions<T> | undefined,
    watch?: (handle: RequestHandle) => RequestHandle,
  ): Call<T> {
    let requestOptions: RequestOptions | undefined;
    let url: string;
    let headers: HeaderList | undefined;
    try {
      this.#assertOpen();
      requestOptions = callRequestOptions(options, this.#defaults);
      url = this.#url.resolve(path, options?.query);
      headers = mergeHeaders(this.#headers, options?.headers);
    } catch (error) {
      return new Call<T>(refusedHandle(asHoldfastError(error)));
    }
    const handle = this.#queue.call({ method, url, headers, body }, requestOptions, this.#binding);
    return new Call<T>(watch === undefined ? handle : watch(handle), options?.schema);
  }

  /** Takes no more calls. Its stored requests that need its credentials wait until a client of its name is there again. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#unregister?.();
    this.#unregister = undefined;
    for (const resource of this.#resources.splice(0)) resource.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #assertOpen(): void {
    if (!this.#closed) return;
    const message = `The client ${this.name} was closed; nothing was stored.`;
    throw new HoldfastError('QUEUE_CLOSED', message, { accepted: false });
  }
}

function hasResources(queue: CallQueue): queue is ResourceQueue {
  return typeof (queue as Partial<ResourceQueue>).registerResource === 'function';
}

/** What is not ours came of values that are not what their types say. */
function asHoldfastError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const problems = [{ path: '', expected: 'values of the types that are documented', got: String(error) }];
  return new HoldfastError('REQUEST_INVALID', 'The call cannot be read.', { problems }, { cause: error });
}
