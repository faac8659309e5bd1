import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QueueManager, QuickOptions } from '../../../../src/index.ts';
import { QuickSetup } from '../../../../src/index.ts';
import { nativeFetch } from './nativeFetch.ts';
import type { Fetch } from './types.ts';

/** A fetch under test and how to end what it stands on. */
export interface Subject {
  readonly fetch: Fetch;
  close(): Promise<void>;
}

/** Failures end at once: what is retried how often is another matter. */
const OPTIONS: QuickOptions = {
  maxAttempts: 1,
  retry: { baseDelayMs: 1, maxDelayMs: 2 },
  readTtlMs: 3_000,
  closeTimeoutMs: 500,
};

function subjectOf(queue: QueueManager, clean: () => Promise<void>): Subject {
  return {
    fetch: queue.fetch as Fetch,
    close: async () => {
      await queue.close();
      await clean();
    },
  };
}

/** Every fetch that must pass; `native` shows that the cases are true of the platform. */
export const SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  native: async () => ({ fetch: nativeFetch, close: async () => undefined }),
  memory: async () => subjectOf(await QuickSetup.memory(OPTIONS), async () => undefined),
  sqlite: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-fetch-'));
    const queue = await QuickSetup.sqlite(join(folder, 'queue.db'), OPTIONS);
    return subjectOf(queue, () => rm(folder, { recursive: true, force: true }));
  },
};
