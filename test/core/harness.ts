import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { HoldfastError } from '../../src/errors.ts';
import { holdfastError } from '../../src/errors.ts';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { AuthProvider, Credential } from '../../src/queue/types/auth.ts';
import type { QueueEventMap, QueueEventName } from '../../src/queue/types/events.ts';
import type { Gauges } from '../../src/system/gauges.ts';
import type { TestQueue, TestQueueOptions } from '../../src/testing/createTestQueue.ts';
import { createTestQueue, TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import type { ScriptedServerOptions } from '../../src/testing/ScriptedServer.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import type { ReceivedRequest } from '../../src/testing/serverSteps.ts';

/** A queue on fake time and a fake network, closed with the test. */
export async function world(config: TestQueueOptions['config'] = {}, seed = 1, gauges?: Gauges): Promise<TestQueue> {
  const test = await createTestQueue({ seed, config, gauges });
  onTestFinished(() => end(test));
  return test;
}

/** Lets fake time pass while the queue closes, so that calls without an answer run into its deadline. */
async function end(test: TestQueue): Promise<void> {
  let isClosed = false;
  const closing = test.close().finally(() => {
    isClosed = true;
  });
  while (!isClosed) await test.clock.advance(5_000);
  await closing;
}

/** A folder of this test alone. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-core-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A queue on a SQLite file, with the real transport and clock; closed with the test. */
export async function onFile(path: string, config: Omit<QueueOptions, 'backend'> = {}): Promise<QueueManager> {
  const queue = new QueueManager({ config: { ...config, backend: { kind: 'sqlite', path } } });
  onTestFinished(() => queue.close());
  await queue.start();
  return queue;
}

/** A real server, closed with the test. */
export async function realServer(options?: ScriptedServerOptions): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(options);
  onTestFinished(() => server.close());
  return server;
}

export function at(path: string): string {
  return `${TEST_ORIGIN}${path}`;
}

/** The error of ours that a promise rejects with, or a call throws. */
export async function errorOf(work: Promise<unknown> | (() => unknown)): Promise<HoldfastError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    const ours = holdfastError(error);
    if (ours !== undefined && ours === error) return ours;
    throw new Error(`not one of our errors: ${String(error)}`, { cause: error });
  }
  throw new Error('it did not fail');
}

/** Every event of these names, in the order they came. */
export function record<N extends QueueEventName>(queue: QueueManager, ...names: readonly N[]) {
  const events: ({ readonly name: N } & QueueEventMap[N])[] = [];
  for (const name of names) queue.on(name, (event) => void events.push({ name, ...event }));
  return events;
}

/** What arrived at a server: `METHOD path body`. */
export function arrivals(of: {
  readonly ledger: { readonly entries: readonly { readonly request: ReceivedRequest }[] };
}): string[] {
  return of.ledger.entries.map(({ request }) => `${request.method} ${request.path} ${request.body}`.trim());
}

export function headerIn(request: ReceivedRequest, name: string): string | undefined {
  return request.headers.find(([candidate]) => candidate === name)?.[1];
}

/** A promise to be settled from outside. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** A provider of a bearer token that tests can change. */
export function tokenProvider(token: string, principal?: string): AuthProvider & { token: string } {
  let known = token;
  let version = 1;
  return {
    token,
    credential(): Credential {
      if (this.token !== known) {
        known = this.token;
        version += 1;
      }
      return { headers: [['authorization', `Bearer ${this.token}`]], version, principal };
    },
  };
}
