import { behind } from '../../queue/core/behind.ts';
import { createAgent } from '../transport/undiciPool.ts';
import type { WireHandler } from './wireHandler.ts';

/** One hop of a call, as the platform's fetch hands it to its dispatcher. */
export interface Hop {
  readonly origin?: string | URL | undefined;
  readonly path: string;
  readonly method: string;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly query?: unknown;
  /** Of a protocol that takes the connection over. */
  readonly upgrade?: unknown;
}

/** What makes connections: all that is needed of undici's Dispatcher. */
export interface HopDispatcher {
  dispatch(hop: Hop, handler: WireHandler): boolean;
}

type Fetch = typeof globalThis.fetch;
/** As fetch takes it in Node, dispatcher included. */
export type FetchInit = Omit<RequestInit, 'dispatcher'> & { readonly dispatcher?: unknown };
export type PlatformFetch = (input: Parameters<Fetch>[0], init?: FetchInit) => Promise<Response>;

/** The newer first: the older one may be a wrapper around it, which hides what it is. */
const GLOBAL_DISPATCHERS = [Symbol.for('undici.globalDispatcher.2'), Symbol.for('undici.globalDispatcher.1')];

/**
 * The platform's own fetch, as it stands when this is made, also where a queue's stands in its place; and its dispatcher: the process's own, or
 * one that was set for all, such as a proxy's.
 */
export class Platform {
  readonly fetch = behind(globalThis.fetch) as PlatformFetch; // of the same shape but for the dispatcher's type
  #own: HopDispatcher | undefined;

  get dispatcher(): HopDispatcher {
    // Node installs its own with the first use of fetch's classes.
    if (globalDispatcher() === undefined) void globalThis.Response;
    return behind(globalDispatcher() ?? this.#fallback());
  }

  /** Where the platform does not show its dispatcher. */
  #fallback(): HopDispatcher {
    this.#own ??= createAgent() as HopDispatcher; // undici's Agent has more
    return this.#own;
  }
}

function globalDispatcher(): HopDispatcher | undefined {
  const globals = globalThis as unknown as Record<symbol, HopDispatcher | undefined>;
  for (const name of GLOBAL_DISPATCHERS) if (globals[name] !== undefined) return globals[name];
  return undefined;
}
