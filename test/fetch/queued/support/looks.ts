import type { HoldfastError, QueueManager } from '../../../../src/index.ts';
import { holdfastError } from '../../../../src/index.ts';
import type { ScriptedServer } from '../../../../src/testing/ScriptedServer.ts';

const LIMIT_MS = 60_000;

/** Resolves once `check` holds; rejects after a while. */
export async function until(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  while (!(await check())) {
    if (limit.aborted) throw new Error(`${what}: not within ${LIMIT_MS} ms`);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Rejects when `work` takes longer than it may. */
export async function soon<T>(work: Promise<T>, what: string, limitMs = LIMIT_MS): Promise<T> {
  const limit = AbortSignal.timeout(limitMs);
  const late = new Promise<never>((_, reject) => {
    limit.addEventListener('abort', () => reject(new Error(`${what}: nothing after ${limitMs} ms`)), { once: true });
  });
  return await Promise.race([work, late]);
}

/** What a promise rejects with. */
export async function rejection(work: Promise<unknown>): Promise<unknown> {
  try {
    await soon(work, 'a rejection');
  } catch (error) {
    return error;
  }
  throw new Error('it did not reject');
}

/** What `fetch` rejected with, as SDKs recognise it, and our error in it. */
export async function failure(work: Promise<unknown>): Promise<
  { readonly name: string; readonly message: string } & {
    readonly error: TypeError & { readonly cause: Error & { readonly code?: string } };
    readonly ours: HoldfastError | undefined;
  }
> {
  const error = await rejection(work);
  if (!(error instanceof TypeError)) throw new Error(`not a TypeError: ${String(error)}`, { cause: error });
  const { name, message } = error;
  return { name, message, error: error as never, ours: holdfastError(error) };
}

/** What an error of ours tells beside its code. */
export function detailsOf(ours: HoldfastError | undefined): { readonly id: string; readonly problems: Problem[] } {
  if (ours === undefined) throw new Error('not one of our errors');
  return ours.details as never; // a test says what it expects of it
}

interface Problem {
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

/** How many requests are stored, whatever became of them. */
export async function stored(queue: QueueManager): Promise<number> {
  return Object.values(await queue.counts()).reduce((sum, count) => sum + count, 0);
}

/** What arrived at a server: `METHOD path body`. */
export function arrivals(server: ScriptedServer): string[] {
  return server.ledger.entries.map(({ request }) => `${request.method} ${request.path} ${request.body}`.trim());
}

/** The id in a status address. */
export function idOf(accepted: Response): string {
  return (accepted.headers.get('location') ?? '').replace('https://queue.invalid/requests/', '');
}

/** Asks a status address until it says something final. */
export async function final(queue: QueueManager, address: string): Promise<Response> {
  let answer = await queue.fetch(address);
  await until(async () => {
    if (answer.status === 202) answer = await queue.fetch(address);
    return answer.status !== 202;
  }, `the end of ${address}`);
  return answer;
}
