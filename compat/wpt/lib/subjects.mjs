/** The fetch functions under test. Each is made in the process that runs a test, and gives a function that ends it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOLDFAST } from './paths.mjs';

/** One attempt each, and every answer is one: what a queue tries again by itself is not what is compared. */
const optionsFor = (origin) => ({
  maxAttempts: 1,
  retry: { baseDelayMs: 1, maxDelayMs: 2 },
  zones: {
    tests: { origins: [origin], classify: ({ status }) => (status === 429 || status >= 500 ? 'rejected' : undefined) },
  },
});

export const subjects = {
  native: async () => ({ fetch: globalThis.fetch, close: async () => undefined }),
  naive: async () => ({ fetch: naiveFetch(globalThis.fetch), close: async () => undefined }),

  memory: async (origin) => {
    const { QuickSetup } = await import(HOLDFAST);
    return fromQueue(await QuickSetup.memory(optionsFor(origin)));
  },

  sqlite: async (origin) => {
    const { QuickSetup } = await import(HOLDFAST);
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-wpt-'));
    const queue = await QuickSetup.sqlite(join(folder, 'queue.db'), optionsFor(origin));
    return fromQueue(queue, () => rm(folder, { recursive: true, force: true }));
  },
};

function fromQueue(queue, after) {
  return {
    fetch: queue.fetch,
    /** How many calls the queue took: none would mean that nothing of it was measured. */
    calls: () => {
      const { accepted, deduplicated } = queue.stats();
      return accepted + deduplicated;
    },
    close: async () => {
      await queue.close();
      await after?.();
    },
  };
}

/** Stores a call as text and replays it later: what a queue does that does not mind what fetch is. */
function naiveFetch(native) {
  return async function fetch(input, init) {
    const request = new Request(input, init);
    const stored = JSON.stringify({
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(request.headers),
      body: request.body === null ? null : await request.text(),
    });
    await new Promise((resolve) => setTimeout(resolve, 1));
    const { url, ...call } = JSON.parse(stored);
    const response = await native(url, call);
    const text = await response.text();
    return new Response(text, { status: response.status, headers: response.headers });
  };
}
