import { AsyncLocalStorage } from 'node:async_hooks';
import type { RequestOptions } from '../types/calls.ts';
import type { FetchOptions } from '../types/fetch.ts';
import { requestPart } from './fetchSettings.ts';

interface Scope {
  readonly all: FetchOptions;
  readonly request: RequestOptions;
}

/** Options for every call that is made within a function, however deep: `queue.with(options).run(fn)`. */
export class Ambient {
  readonly #scopes = new AsyncLocalStorage<Scope>();

  run<T>(options: FetchOptions, run: () => T): T {
    const all = fill(options, this.#scopes.getStore()?.all ?? {});
    return this.#scopes.run({ all, request: requestPart(all) }, run);
  }

  get options(): FetchOptions | undefined {
    return this.#scopes.getStore()?.all;
  }

  /** `options`, and what of the scope they leave open. */
  under(options: RequestOptions | undefined): RequestOptions | undefined {
    const scope = this.#scopes.getStore();
    if (scope === undefined) return options;
    return options === undefined ? scope.request : fill(options, scope.request);
  }
}

/** `options`, and what of `defaults` they leave open. */
export function fill<T extends object>(options: T, defaults: Partial<T>): T {
  const filled = { ...defaults, ...options };
  for (const key of Object.keys(defaults) as (keyof T)[])
    if (filled[key] === undefined) filled[key] = defaults[key] as T[keyof T];
  return filled;
}
