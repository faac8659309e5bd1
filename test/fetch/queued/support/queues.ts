import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { QueueManager, QuickOptions } from '../../../../src/index.ts';
import { QuickSetup } from '../../../../src/index.ts';
import type { ScriptedServerOptions } from '../../../../src/testing/ScriptedServer.ts';
import { ScriptedServer } from '../../../../src/testing/ScriptedServer.ts';

/** Where requests are kept. */
export const STORES = ['memory', 'sqlite'] as const;
export type Store = (typeof STORES)[number];

/** Retries follow at once, and closing waits for nobody. */
const QUICK: QuickOptions = { retry: { baseDelayMs: 5, maxDelayMs: 20 }, closeTimeoutMs: 300 };

/** A started queue, closed with the test. */
export async function open(store: Store, options: QuickOptions = {}): Promise<QueueManager> {
  if (store === 'sqlite') return openFile(join(await folder(), 'queue.db'), options);
  return closing(await QuickSetup.memory({ ...QUICK, ...options }));
}

/** A started queue on a file, closed with the test. */
export async function openFile(path: string, options: QuickOptions = {}): Promise<QueueManager> {
  return closing(await QuickSetup.sqlite(path, { ...QUICK, ...options }));
}

/** A folder of this test alone. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-queued-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A real server, closed with the test. */
export async function serve(options?: ScriptedServerOptions): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(options);
  onTestFinished(() => server.close());
  return server;
}

/** An origin that refuses connections until its server is started. */
export async function serveLater(options?: ScriptedServerOptions): Promise<ScriptedServer> {
  const server = await serve(options);
  await server.stop();
  return server;
}

function closing(queue: QueueManager): QueueManager {
  onTestFinished(() => queue.close());
  return queue;
}
