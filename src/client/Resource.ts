import type { HoldfastError } from '../errors.ts';
import { refusedHandle } from '../queue/core/handles/refusedHandle.ts';
import type { ResourceQueue, ResourceRules } from '../queue/core/resources.ts';
import type { RequestHandle, Settled, WaitOptions } from '../queue/types/calls.ts';
import type { Json } from '../queue/types/request.ts';
import { Call } from './Call.ts';
import { headerPairs, mergeHeaders } from './clientHeaders.ts';
import type { CallOptions } from './clientOptions.ts';
import { Remembered } from './Remembered.ts';
import type { ResourceOptions } from './resourceOptions.ts';
import { stamped } from './stamped.ts';

/** Id of one thing: the server's, or a local id that stands for it. */
export type ResourceId = string | number;

/** Options of one call of a resource. */
export interface ResourceCallOptions<T = unknown> extends Omit<CallOptions<T>, 'schema' | 'resource'> {
  /** ETag of the version that the change is based on. @default that of the last read or write of it through this resource */
  readonly etag?: string | undefined;
}

/** How a resource calls: the client's way, with what the resource adds to a call. */
export type Caller = <R>(
  method: string,
  path: string,
  body: unknown,
  options: CallOptions<R>,
  watch?: (handle: RequestHandle) => RequestHandle,
) => Call<R>;

/**
 * One kind of thing an API has. Its declarations hold for every call: the lane is that of the thing, a change knows what it is based on, a conflict
 * and an unknown outcome are dealt with as was declared. Made by `ApiClient.resource`.
 */
export class Resource<T = unknown> {
  readonly name: string;
  readonly #options: ResourceOptions<T>;
  readonly #queue: ResourceQueue;
  readonly #call: Caller;
  readonly #seen = new Remembered();
  readonly #unregister: () => void;

  constructor(name: string, options: ResourceOptions<T>, queue: ResourceQueue, call: Caller) {
    const { path: _, schema: __, yields: ___, onUnknown: ____, patchType: _____, onConflict, ...rules } = options;
    this.name = name;
    this.#options = options;
    this.#queue = queue;
    this.#call = call;
    this.#unregister = queue.registerResource({ ...rules, name, onConflict } satisfies ResourceRules);
  }

  /** Makes one. With `localId`, others can refer to it before the server has given it an id. */
  create(body: unknown, options: ResourceCallOptions<T> = {}): Call<T> {
    const { yields = '/id', path, stamp } = this.#options;
    const { etag: _, ...rest } = options;
    const declared = { ...this.#declared(), yields, ...rest };
    if (stamp === undefined) return this.#call('POST', path, body, declared);
    const localId = declared.localId ?? this.#queue.localId('stamped');
    try {
      return this.#call('POST', path, stamped(body, stamp.field, localId), { ...declared, localId });
    } catch (error) {
      return new Call<T>(refusedHandle(error as HoldfastError)); // `stamped` throws nothing else, and a call never throws
    }
  }

  /** Reads one. Changes made afterwards are based on what it shows, unless they say otherwise. */
  get(id: ResourceId, options: ResourceCallOptions<T> = {}): Call<T> {
    const { etag: _, ...rest } = options;
    const { schema } = this.#options;
    return this.#call('GET', this.path(id), undefined, { schema, ...rest }, (handle) =>
      this.#watched(seenAs(id, options), handle),
    );
  }

  /** Changes fields of one: a merge patch, in which null removes a field. */
  update(id: ResourceId, changes: unknown, options: ResourceCallOptions<T> = {}): Call<T> {
    const { patchType = 'application/merge-patch+json' } = this.#options;
    return this.#write('PATCH', id, changes, { 'content-type': patchType }, { effect: 'absolute', ...options });
  }

  /** Puts a whole one in the place of what is there. */
  replace(id: ResourceId, body: unknown, options: ResourceCallOptions<T> = {}): Call<T> {
    return this.#write('PUT', id, body, {}, options);
  }

  /** Removes one. That it is not there any more is no failure. */
  delete(id: ResourceId, options: ResourceCallOptions<T> = {}): Call<T> {
    return this.#write('DELETE', id, undefined, {}, options);
  }

  /** Where one of them is. */
  path(id: ResourceId): string {
    return `${this.#options.path}/${encodeURIComponent(String(id))}`;
  }

  /** Its rules hold no more: requests of it that meet a conflict are held for a person. */
  close(): void {
    this.#unregister();
  }

  #write(
    method: string,
    id: ResourceId,
    body: unknown,
    typed: Readonly<Record<string, string>>,
    options: ResourceCallOptions<T>,
  ): Call<T> {
    const seen = this.#seen.of(seenAs(id, options));
    const { etag = seen?.etag, base = seen?.snapshot, headers, ...rest } = options;
    const conditional = this.#options.version === 'etag' && etag !== undefined ? { 'if-match': etag } : {};
    const call: CallOptions<T> = {
      ...this.#declared(),
      ...rest,
      headers: mergeHeaders(headerPairs({ ...typed, ...conditional }), headers),
      ...(base !== undefined && { base: base as Json }),
    };
    return this.#call(method, this.path(id), body, call, (handle) => this.#watched(seenAs(id, options), handle));
  }

  #declared(): Pick<CallOptions<T>, 'resource' | 'onUnknown' | 'schema'> {
    const { onUnknown, schema } = this.#options;
    return {
      resource: this.name,
      ...(onUnknown !== undefined && { onUnknown }),
      ...(schema !== undefined && { schema }),
    };
  }

  /** What the server shows of it is what later changes are based on. */
  #watched(as: string, handle: RequestHandle): RequestHandle {
    const settled = async (options?: WaitOptions): Promise<Settled> => {
      const end = await handle.settled(options);
      if (end.response !== undefined) this.#seen.note(as, end.response);
      return end;
    };
    return { accepted: () => handle.accepted(), settled, cancel: (options) => handle.cancel(options) };
  }
}

/** What one user saw is no base of what another one changes. */
function seenAs(id: ResourceId, { principal = '' }: { readonly principal?: string | undefined }): string {
  return JSON.stringify([principal, String(id)]);
}
