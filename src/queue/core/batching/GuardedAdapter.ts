import type {
  BatchAdapter,
  BatchAnswer,
  BatchCall,
  BatchCandidate,
  BatchMember,
  BatchOutcome,
} from '../../types/batch.ts';
import type { Logger } from '../../types/logger.ts';
import type { Body, HeaderList } from '../../types/request.ts';

/** Bytes of the members of a batch where its adapter does not say. */
const MAX_BYTES = 1_048_576;

/** What the queue asks of an adapter, each with what it is told where the adapter throws or answers rubbish. That is logged once for each. */
export class GuardedAdapter {
  readonly name: string;
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly isCountedEach: boolean;
  readonly carriesHeaders: boolean;
  readonly hasPages: boolean;
  readonly #adapter: BatchAdapter;
  readonly #logger: Logger;
  readonly #told = new Set<string>();

  constructor(adapter: BatchAdapter, logger: Logger) {
    this.name = adapter.name;
    this.maxItems = adapter.maxItems;
    this.maxBytes = adapter.maxBytes ?? MAX_BYTES;
    this.isCountedEach = adapter.countsAs === 'each';
    this.carriesHeaders = adapter.carriesHeaders;
    this.hasPages = adapter.next !== undefined;
    this.#adapter = adapter;
    this.#logger = logger;
  }

  /** Null where it is to go alone. */
  key(candidate: BatchCandidate): string | null {
    const key = this.#ask(
      'key',
      () => this.#adapter.key(candidate),
      (given) => given === null || typeof given === 'string',
    );
    return key ?? null;
  }

  /** Undefined: the members are sent singly. */
  compose(members: readonly BatchMember[]): BatchCall | undefined {
    return this.#ask('compose', () => this.#adapter.compose(members), isCall);
  }

  next(answer: BatchAnswer, call: BatchCall): BatchCall | undefined {
    return this.#ask(
      'next',
      () => this.#adapter.next?.(answer, call),
      (given) => given === undefined || isCall(given),
    );
  }

  /** Those that make sense: of members, each once. */
  outcomes(answers: readonly BatchAnswer[], members: readonly BatchMember[]): ReadonlyMap<string, BatchOutcome> {
    const given = this.#ask('outcomes', () => this.#adapter.outcomes(answers, members), Array.isArray);
    return this.#sorted('outcomes', given ?? [], members);
  }

  /** Undefined where it leaves that to the queue. */
  refused(answer: BatchAnswer, members: readonly BatchMember[]): ReadonlyMap<string, BatchOutcome> | undefined {
    const isRight = (given: unknown): boolean => given === undefined || Array.isArray(given);
    const given = this.#ask('refused', () => this.#adapter.refused?.(answer, members), isRight);
    return given === undefined ? undefined : this.#sorted('refused', given, members);
  }

  #sorted(asked: string, given: readonly unknown[], members: readonly BatchMember[]): Map<string, BatchOutcome> {
    const ids = new Set(members.map(({ id }) => id));
    const found = new Map<string, BatchOutcome>();
    for (const outcome of given) {
      const isKnown = isOutcome(outcome) && ids.has(outcome.id) && !found.has(outcome.id);
      if (isKnown) found.set(outcome.id, outcome);
      else this.#tell(asked, 'an outcome that is none, of no member, or of one that had its own was ignored');
    }
    return found;
  }

  #ask<T>(asked: string, ask: () => T, isRight: (given: unknown) => boolean): T | undefined {
    try {
      const given: unknown = ask();
      if (isRight(given)) return given as T; // just checked
      // Nobody waits for it, so its failure would end the process.
      if (given instanceof Promise) given.catch(() => undefined);
      this.#tell(
        asked,
        given instanceof Promise ? 'it returned a promise (it must answer at once)' : 'it returned rubbish',
      );
    } catch (error) {
      this.#tell(asked, error instanceof Error ? error.message : String(error));
    }
    return undefined;
  }

  #tell(asked: string, error: string): void {
    if (this.#told.has(asked)) return;
    this.#told.add(asked);
    this.#logger.error('a batch adapter failed; this is not told again', { adapter: this.name, asked, error });
  }
}

function isCall(given: unknown): given is BatchCall {
  if (!isObject(given)) return false;
  const { method, path, headers, body } = given;
  const isText = typeof method === 'string' && method !== '' && typeof path === 'string' && path.startsWith('/');
  return isText && isHeaders(headers) && isBody(body);
}

function isOutcome(given: unknown): given is BatchOutcome {
  if (!isObject(given)) return false;
  const { id, kind, response } = given;
  if (typeof id !== 'string') return false;
  return kind === 'answered' ? isAnswer(response) : kind === 'notServed' || kind === 'missing';
}

function isAnswer(given: unknown): boolean {
  if (!isObject(given)) return false;
  const { status, headers, body } = given;
  const isStatus = Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 599;
  return isStatus && isHeaders(headers) && body instanceof Uint8Array;
}

function isHeaders(given: unknown): given is HeaderList {
  const isPair = (one: unknown): boolean =>
    Array.isArray(one) && one.length === 2 && typeof one[0] === 'string' && typeof one[1] === 'string';
  return Array.isArray(given) && given.every(isPair);
}

function isBody(given: unknown): given is Body {
  return given === null || typeof given === 'string' || given instanceof Uint8Array;
}

function isObject(given: unknown): given is Record<string, unknown> {
  return typeof given === 'object' && given !== null;
}
