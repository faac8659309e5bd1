import type { ReceivedRequest, ServerAnswer } from './serverSteps.ts';

/**
 * What became of a request at a server: applied; answered again from its key; refused because its key came with other
 * content; a read; or not applied.
 */
export type LedgerOutcome = 'applied' | 'replayed' | 'mismatch' | 'read' | 'notApplied';

export interface LedgerEntry {
  /** 1-based order of what happened. */
  readonly seq: number;
  readonly outcome: LedgerOutcome;
  readonly request: ReceivedRequest;
  /** The path without its query: what is counted. */
  readonly resource: string;
  readonly key: string | null;
}

export interface ServerLedgerOptions {
  /** Header a resend is recognised by; null: every request that arrives is applied. @default 'idempotency-key' */
  readonly keyHeader?: string | null | undefined;
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS', 'QUERY']);

/**
 * What a test server did, in order, and its memory of idempotency keys: a key is applied once, its answer replayed
 * after that, and the same key with other content is refused with 422. Applying is synchronous, so that there is no
 * moment at which a request is half applied.
 */
export class ServerLedger {
  readonly #keyHeader: string | null;
  readonly #entries: LedgerEntry[] = [];
  readonly #byKey = new Map<string, { readonly content: string; readonly answer: ServerAnswer }>();
  readonly #counts = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  constructor(options: ServerLedgerOptions = {}) {
    this.#keyHeader = options.keyHeader === undefined ? 'idempotency-key' : options.keyHeader;
  }

  /** Everything that happened, oldest first. */
  get entries(): readonly LedgerEntry[] {
    return this.#entries;
  }

  /** Writes applied so far: of one resource (a path without query), or all. */
  applied(resource?: string): number {
    if (resource !== undefined) return this.#counts.get(resource) ?? 0;
    return this.#entries.reduce((sum, entry) => sum + (entry.outcome === 'applied' ? 1 : 0), 0);
  }

  /** Applies `request` as `respond` says, or answers as its key demands. */
  apply(request: ReceivedRequest, respond: (request: ReceivedRequest) => ServerAnswer): ServerAnswer {
    if (READS.has(request.method)) {
      this.#record('read', request, null);
      return respond(request);
    }
    const key = this.#keyOf(request);
    const known = key === null ? undefined : this.#byKey.get(key);
    const content = `${request.method} ${request.path}\n${request.body}`;
    if (known !== undefined && known.content !== content) {
      this.#record('mismatch', request, key);
      return { status: 422, body: { error: 'this key came with other content' } };
    }
    if (known !== undefined) {
      this.#record('replayed', request, key);
      return { ...known.answer, headers: [...(known.answer.headers ?? []), ['idempotent-replayed', 'true']] };
    }
    this.#counts.set(resourceOf(request), this.applied(resourceOf(request)) + 1);
    const given = respond(request);
    if (key !== null) this.#byKey.set(key, { content, answer: given });
    this.#record('applied', request, key);
    return given;
  }

  /** Notes a request that arrived and was not applied. */
  pass(request: ReceivedRequest): void {
    this.#record('notApplied', request, this.#keyOf(request));
  }

  /** Resolves as soon as `condition` holds of the ledger; checked whenever something was noted. */
  until(condition: (ledger: ServerLedger) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition(this)) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #keyOf(request: ReceivedRequest): string | null {
    if (this.#keyHeader === null) return null;
    return request.headers.find(([name]) => name === this.#keyHeader)?.[1] ?? null;
  }

  #record(outcome: LedgerOutcome, request: ReceivedRequest, key: string | null): void {
    const resource = resourceOf(request);
    this.#entries.push({ seq: this.#entries.length + 1, outcome, request, resource, key });
    for (const check of [...this.#waiting]) check();
  }
}

function resourceOf(request: ReceivedRequest): string {
  return request.path.split('?', 1)[0] as string; // split gives at least one part
}
