// What SDKs are run over: their own transport, the queue, or a wrapper of the obvious kind, which must be found out.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The package that is tested: this checkout, or the one that HOLDFAST_ROOT names. */
const ROOT = process.env.HOLDFAST_ROOT ?? fileURLToPath(new URL('../../', import.meta.url));

/** By the seam a case names: the subpath of the package, and what it exports. `fetch` needs none. */
const ADAPTERS = {
  axios: { subpath: './axios', name: 'queueAdapter' },
  smithy: { subpath: './smithy', name: 'queueHandler' },
  azure: { subpath: './azure', name: 'queueClient' },
  graph: { subpath: './graph', name: 'queueMiddleware' },
};

/** An adapter that a case needs is not in the package. */
export class MissingAdapter extends Error {}

const OPEN = { native, queue, naive };
export const SUBJECTS = Object.keys(OPEN);

/**
 * @param {'native' | 'queue' | 'naive'} kind
 * @param {{ backend: 'memory' | 'sqlite', hasFault: boolean }} options
 * @returns `fetch`, `transport(seam)` (undefined: the SDK's own) and `close`
 */
export function openSubject(kind, options) {
  return OPEN[kind](options);
}

function native() {
  return { fetch: globalThis.fetch, transport: () => undefined, close: () => undefined };
}

async function queue({ backend, hasFault }) {
  const { QuickSetup } = await load('.');
  const options = hasFault ? { retry: { baseDelayMs: 20, maxDelayMs: 200 } } : {};
  const folder = backend === 'sqlite' ? mkdtempSync(join(tmpdir(), 'holdfast-compat-')) : undefined;
  const opened =
    folder === undefined
      ? await QuickSetup.memory(options)
      : await QuickSetup.sqlite(join(folder, 'queue.db'), options);
  // Without one, SDKs would silently take their own.
  if (typeof opened.fetch !== 'function') throw new MissingAdapter('the queue has no fetch (yet)');
  return {
    fetch: opened.fetch,
    async transport(seam) {
      if (seam === 'fetch') return undefined;
      const { subpath, name } = ADAPTERS[seam];
      const { [name]: adapt } = await load(subpath);
      if (adapt === undefined) throw new MissingAdapter(`holdfast/${seam} has no ${name}`);
      return adapt(opened);
    },
    /** Requests that the queue took; joined calls count once. */
    accepted: () => opened.stats().accepted,
    async close() {
      await opened.close();
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Loads a subpath as the package's own `exports` map it, so that an entry that is not published is missing here too. */
async function load(subpath) {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const target = exports[subpath]?.default;
  const file = target === undefined ? undefined : join(ROOT, target);
  if (file === undefined || !existsSync(file)) throw new MissingAdapter(`holdfast has no "${subpath}" (yet)`);
  return import(pathToFileURL(file).href);
}

/** Buffers and answers anew: what a wrapper looks like that was not held to anything. It retries whatever failed. */
function naive() {
  const send = async (input, init) => {
    const request = new Request(input, { ...init, signal: undefined });
    const body = request.body === null ? undefined : await request.text();
    const headers = [...request.headers];
    for (let left = 3; ; left -= 1) {
      try {
        const answer = await globalThis.fetch(request.url, { method: request.method, headers, body });
        return new Response(await answer.text(), { status: answer.status, headers: answer.headers });
      } catch (error) {
        if (left === 0) throw new Error('request failed', { cause: error });
      }
    }
  };
  const transport = (seam) => {
    if (seam !== 'fetch') throw new MissingAdapter('the naive wrapper has no adapters');
  };
  return { fetch: send, transport, close: () => undefined };
}
