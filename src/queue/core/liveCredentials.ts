import type { HeaderList } from '../types/request.ts';

const NO_HEADERS: HeaderList = Object.freeze([]);

/** The secrets of one call, kept in memory only. */
export interface LiveSecret {
  readonly headers: HeaderList;
  /** Query parameters that were cut out of the path, `a=b&c=d`, or ''. */
  readonly query: string;
}

/**
 * Credentials that callers brought with their calls (`auth: 'live'`). They live and die with this process: each waiting
 * request keeps its own (shared where equal), and per principal the newest one serves requests of gone processes.
 */
export class LiveCredentials {
  readonly #byPrincipal = new Map<string, LiveSecret>();
  readonly #byRequest = new Map<string, LiveSecret>();
  /** Whose each secret is. */
  readonly #owners = new WeakMap<LiveSecret, string>();
  readonly #volatile = new Map<string, HeaderList>();
  readonly #maxPrincipals: number;

  constructor(maxPrincipals = 10_000) {
    this.#maxPrincipals = maxPrincipals;
  }

  /** Keeps the secret of a call. True when the principal had none before, or another one: its held requests may go on. */
  remember(id: string, principal: string, secret: LiveSecret): boolean {
    const known = this.#byPrincipal.get(principal);
    if (known !== undefined && isEqual(known, secret)) {
      this.#byRequest.set(id, known);
      return false;
    }
    this.#byRequest.set(id, secret);
    this.#owners.set(secret, principal);
    this.#byPrincipal.delete(principal);
    this.#byPrincipal.set(principal, secret);
    if (this.#byPrincipal.size > this.#maxPrincipals) {
      const oldest = this.#byPrincipal.keys().next().value;
      if (oldest !== undefined) this.#byPrincipal.delete(oldest);
    }
    return true;
  }

  /** Headers of a call that are never stored, such as its trace id: they go along while this process lives. */
  rememberVolatile(id: string, headers: HeaderList): void {
    if (headers.length > 0) this.#volatile.set(id, headers);
  }

  volatileOf(id: string): HeaderList {
    return this.#volatile.get(id) ?? NO_HEADERS;
  }

  find(id: string, principal: string): LiveSecret | undefined {
    return this.#byRequest.get(id) ?? this.#byPrincipal.get(principal);
  }

  /** The one that came with the call itself. */
  own(id: string): LiveSecret | undefined {
    return this.#byRequest.get(id);
  }

  /** The newest of the principal. */
  newest(principal: string): LiveSecret | undefined {
    return this.#byPrincipal.get(principal);
  }

  knows(principal: string): boolean {
    return this.#byPrincipal.has(principal);
  }

  principals(): IterableIterator<string> {
    return this.#byPrincipal.keys();
  }

  /** The request's own secret is of no use any more: the newest of its principal takes its place. */
  forgetSecret(id: string): void {
    this.#byRequest.delete(id);
  }

  /** It left: nobody may send with what it left behind, be it the newest or an earlier one. */
  forgetPrincipal(principal: string): void {
    this.#byPrincipal.delete(principal);
    for (const [id, secret] of this.#byRequest) if (this.#owners.get(secret) === principal) this.#byRequest.delete(id);
  }

  forget(id: string): void {
    this.#byRequest.delete(id);
    this.#volatile.delete(id);
  }

  /** Requests of which anything is kept. */
  *requests(): Generator<string> {
    yield* this.#byRequest.keys();
    yield* this.#volatile.keys();
  }

  clear(): void {
    this.#byPrincipal.clear();
    this.#byRequest.clear();
    this.#volatile.clear();
  }
}

function isEqual(a: LiveSecret, b: LiveSecret): boolean {
  return (
    a.query === b.query &&
    a.headers.length === b.headers.length &&
    a.headers.every(([name, value], index) => b.headers[index]?.[0] === name && b.headers[index]?.[1] === value)
  );
}
