import { onTestFinished } from 'vitest';
import type { QueueManager, QuickOptions } from '../../../src/index.ts';
import { QuickSetup } from '../../../src/index.ts';
import type { StoredRequest } from '../../../src/queue/types/request.ts';
import type { ScriptedServerOptions } from '../../../src/testing/ScriptedServer.ts';
import { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import type { ReceivedRequest } from '../../../src/testing/serverSteps.ts';

/** For calls that are not sent: nobody listens there. */
export const NOWHERE = 'http://127.0.0.1:3';

/** A queue whose retries follow soon, closed with the test. */
export async function openQueue(options: QuickOptions = {}): Promise<QueueManager> {
  const quick = { retry: { baseDelayMs: 5, maxDelayMs: 20 }, closeTimeoutMs: 300 };
  const queue = await QuickSetup.memory({ ...quick, ...options });
  onTestFinished(() => queue.close());
  return queue;
}

/** A server on a port of its own, closed with the test. */
export async function serve(options?: ScriptedServerOptions): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(options);
  onTestFinished(() => server.close());
  return server;
}

/** An origin where nobody listens yet, and its start, once somebody was refused there. */
export async function serveLate(queue: QueueManager): Promise<{ server: ScriptedServer; started: Promise<void> }> {
  const server = await serve();
  await server.stop();
  const refused = new Promise<void>((resolve) => {
    queue.on('zone:offline', () => resolve());
    queue.on('request:retrying', () => resolve());
  });
  return { server, started: refused.then(() => server.start()) };
}

/** The first request that a queue takes, once it is stored. */
export function firstTaken(queue: QueueManager): Promise<StoredRequest> {
  return new Promise((resolve, reject) => {
    queue.on('request:accepted', ({ requestId }) => {
      queue.get(requestId).then((record) => record && resolve(record), reject);
    });
  });
}

/** An error with what SDKs put on theirs. */
export type Failure = Error & { readonly code?: unknown; readonly request?: unknown; readonly response?: unknown };

/** What a promise is rejected with. */
export async function rejection(work: Promise<unknown>): Promise<Failure> {
  const told = await work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (told === undefined) throw new Error('it was not rejected');
  return told.error as Failure;
}

/** The requests that arrived, and of the headers those named. */
export function arrived(server: ScriptedServer, ...names: string[]): object[] {
  return server.ledger.entries.map(({ request }) => ({ ...briefly(request), ...headersOf(request, names) }));
}

function briefly({ method, path, body }: ReceivedRequest): object {
  return { method, path, body };
}

function headersOf({ headers }: ReceivedRequest, names: readonly string[]): object {
  const valuesOf = (one: string): string[] => headers.filter(([name]) => name === one).map(([, value]) => value);
  return Object.fromEntries(names.map((one) => [one, valuesOf(one).join(', ')]));
}

/** A body that is a stream, whole. */
export async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString();
}
