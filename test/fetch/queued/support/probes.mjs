// What a queue does to its process: `node probes.mjs <dist> <what> <origin>` runs one probe and says what it found, as a line of JSON;
// then the process ends by itself. Warnings of Node are part of what is found.

import { getEventListeners } from 'node:events';
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [dist, what, origin] = process.argv.slice(2);
const DISPATCHER = Symbol.for('undici.globalDispatcher.1');
const POST = { method: 'POST', body: 'hi' };
const warnings = [];
process.on('warning', ({ name }) => warnings.includes(name) || warnings.push(name));

const native = globalThis.fetch;
const entry = pathToFileURL(`${dist}/index.js`).href;

async function turns(count = 50) {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Rejects instead of running for ever. */
function bounded(work, ms = 30_000) {
  const limit = AbortSignal.timeout(ms);
  const late = new Promise((_, reject) => {
    limit.addEventListener('abort', () => reject(new Error('late')), { once: true });
  });
  return Promise.race([work, late]);
}

async function told(work) {
  try {
    const response = await bounded(work);
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    return `${error.name} ${error.message} ${error.cause?.message ?? ''}`;
  }
}

async function countAll(queue) {
  return Object.values(await queue.counts()).reduce((sum, count) => sum + count, 0);
}

async function collected(check) {
  for (let n = 0; n < 50 && !check(); n += 1) {
    globalThis.gc();
    await turns(5);
  }
}

async function many(fetch, init) {
  const { signal } = new AbortController();
  let most = 0;
  for (let n = 0; n < 2_000; n += 1) {
    const response = await fetch(`${origin}/n/${n}`, { ...init, signal });
    await response.text();
    most = Math.max(most, getEventListeners(signal, 'abort').length);
  }
  await collected(() => getEventListeners(signal, 'abort').length === 0);
  return { left: getEventListeners(signal, 'abort').length, most };
}

const probes = {
  async signals() {
    const { QuickSetup } = await import(entry);
    const queue = await QuickSetup.memory();
    const found = { reads: await many(queue.fetch, {}), writes: await many(queue.fetch, POST) };
    await turns();
    found.warnings = [...warnings]; // the platform's own may warn, where the collector is late
    found.native = await many(native, {});
    await queue.close();
    return found;
  },

  async closing() {
    const { QuickSetup } = await import(entry);
    const queue = await QuickSetup.memory();
    await (await queue.fetch(origin)).text();
    await queue.fetch(origin, POST); // its body is never read
    await queue.close();
    const from = performance.now();
    process.on('exit', () => tell({ livedOnMs: performance.now() - from }));
  },

  async asGlobalFetch() {
    const { QuickSetup } = await import(entry);
    const queue = await QuickSetup.memory();
    globalThis.fetch = queue.fetch;
    const found = {
      isSame: globalThis.fetch === queue.fetch,
      global: await told(fetch(`${origin}/global`, POST)),
      queued: await told(queue.fetch(`${origin}/queued`, POST)),
      bypass: await told(fetch(`${origin}/past`, { ...POST, queue: { mode: 'bypass' } })),
      data: await told(fetch('data:,data')),
      joined: await told(Promise.all([fetch(`${origin}/read`), fetch(`${origin}/read`)]).then(([one]) => one)),
      accepted: (await bounded(fetch(origin, { ...POST, queue: { respond: 'accepted' } }))).status,
    };
    await queue.idle();
    found.stored = await countAll(queue);
    const other = await QuickSetup.memory();
    found.other = await told(other.fetch(`${origin}/other`, POST));
    found.storedByFirst = await countAll(queue);
    await queue.close();
    await other.close();
    return found;
  },

  async underPatchedFetch() {
    const { QuickSetup } = await import(entry);
    const queue = await QuickSetup.memory();
    // As tools for tracing do it: a function around whatever fetch there is.
    let calls = 0;
    const before = queue.fetch;
    globalThis.fetch = async function fetch(input, init) {
      calls += 1;
      if (calls > 50) throw new RangeError('round in circles');
      return before(input, init);
    };
    const found = {
      global: await told(fetch(`${origin}/global`, POST)),
      bypass: await told(fetch(`${origin}/past`, { ...POST, queue: { mode: 'bypass' } })),
      data: await told(fetch('data:,data')),
      joined: await told(Promise.all([fetch(`${origin}/read`), fetch(`${origin}/read`)]).then(([one]) => one)),
      accepted: await told(fetch(origin, { ...POST, queue: { respond: 'accepted' } })).then((text) => text.slice(0, 3)),
    };
    found.calls = calls;
    await queue.close();
    return found;
  },

  async underFetchWithoutDispatchers() {
    // As wrappers do it that hand on only what they know.
    globalThis.fetch = (input, init) => {
      const { dispatcher: _, ...known } = init ?? {};
      return native(input, known);
    };
    const { QuickSetup, holdfastError } = await import(entry);
    const queue = await QuickSetup.memory({ retry: { baseDelayMs: 5, maxDelayMs: 20 }, maxAttempts: 5 });
    const failed = (path, init) =>
      bounded(queue.fetch(origin + path, init)).then(
        ({ status }) => status,
        (error) => [error.message, error.cause?.code, holdfastError(error)?.code],
      );
    const found = {
      write: await failed('/reset', POST),
      patch: await failed('/reset', { method: 'PATCH', body: 'hi' }),
      answered: await failed('/write', POST),
      read: await told(queue.fetch(`${origin}/read`)),
      joined: await Promise.all([failed('/read/twice'), failed('/read/twice')]),
    };
    await queue.close();
    return found;
  },

  async leavings() {
    const { QuickSetup } = await import(entry);
    const queue = await QuickSetup.memory();
    const dispatchers = [];
    const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
    const leave = async (given, headers, wait) => {
      // The queue has it for as long as it knows of the caller.
      const dispatcher = { dispatch: () => false };
      dispatchers.push(new WeakRef(dispatcher));
      const abort = new AbortController();
      const init = { method: 'POST', body: given(), duplex: 'half', headers, signal: abort.signal, dispatcher };
      const call = queue.fetch(origin, init);
      await wait();
      abort.abort(new Error('left'));
      await told(call);
    };
    const bodies = {
      stream: () =>
        new ReadableStream({
          async pull(controller) {
            await turns(4);
            controller.enqueue(Buffer.from('a=b'));
            controller.close();
          },
        }),
      blob: () => new Blob(['a=b']),
    };
    queue.pause();
    for (const body of Object.values(bodies)) {
      for (const headers of [FORM, {}]) {
        for (const wait of [() => undefined, () => turns(1), () => turns(2), () => turns(4)])
          await leave(body, headers, wait);
      }
    }
    await turns();
    // What was stored before its caller left is kept as cancelled, and not as anything else.
    const { cancelled: _, ...others } = await queue.counts();
    const stored = Object.values(others).reduce((sum, count) => sum + count, 0);
    await collected(() => dispatchers.every((one) => one.deref() === undefined));
    const left = dispatchers.filter((one) => one.deref() !== undefined).length;
    await queue.close();
    return { stored, calls: dispatchers.length, left };
  },

  async asGlobalDispatcher() {
    const { QuickSetup } = await import(entry);
    const { setGlobalDispatcher, getGlobalDispatcher, request } = createRequire(import.meta.url)('undici');
    const queue = await QuickSetup.memory();
    setGlobalDispatcher(queue.dispatcher);
    const found = {
      isSet: getGlobalDispatcher() === queue.dispatcher,
      global: await told(fetch(`${origin}/global`, POST)),
      storedByGlobal: await countAll(queue),
      queued: await told(queue.fetch(`${origin}/queued`, POST)),
      storedByBoth: await countAll(queue),
      request: await bounded(request(`${origin}/request`)).then(({ statusCode }) => statusCode),
      joined: await told(Promise.all([queue.fetch(origin), queue.fetch(origin)]).then(([one]) => one)),
    };
    await queue.idle();
    found.stored = await countAll(queue);
    found.bypass = await told(queue.fetch(`${origin}/past`, { ...POST, queue: { mode: 'bypass' } }));
    found.storedByBypass = (await countAll(queue)) - found.stored;
    await queue.close();
    found.closed = await told(fetch(origin));
    return found;
  },

  async asBoth() {
    const { QuickSetup } = await import(entry);
    const queue = await QuickSetup.memory();
    globalThis.fetch = queue.fetch;
    await fetch('data:,');
    globalThis[DISPATCHER] = queue.dispatcher;
    const found = { global: await told(fetch(`${origin}/global`, POST)) };
    found.stored = await countAll(queue);
    await queue.close();
    return found;
  },

  async untouched() {
    await fetch('data:,');
    await (await fetch(origin)).text(); // Node sets its dispatcher up
    const before = globalThis[DISPATCHER];
    const { QuickSetup } = await import(entry);
    const imported = globalThis[DISPATCHER] === before && globalThis.fetch === native;
    const queue = await QuickSetup.memory();
    await (await queue.fetch(origin)).text();
    await (await fetch(origin, { dispatcher: queue.dispatcher })).text();
    await queue.close();
    const used = globalThis[DISPATCHER] === before && globalThis.fetch === native;
    return { imported, used, version: globalThis[DISPATCHER] !== undefined };
  },

  async untouchedBeforeFirstUse() {
    const { QuickSetup } = await import(entry);
    const isUnset = globalThis[DISPATCHER] === undefined;
    const queue = await QuickSetup.memory();
    const found = {
      isUnset,
      answer: await told(queue.fetch(`${origin}/a`)),
      native: await told(native(`${origin}/b`)),
    };
    await queue.close();
    return found;
  },
};

function tell(found) {
  writeSync(1, `${JSON.stringify({ found, warnings })}\n`);
}

const found = await probes[what]();
if (found !== undefined) tell(found);
