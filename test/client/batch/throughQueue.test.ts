import { expect, it } from 'vitest';
import { ApiClient } from '../../../src/client/ApiClient.ts';
import { bulkArray } from '../../../src/client/batch/bulkArray.ts';
import { idBatch } from '../../../src/client/batch/idBatch.ts';
import { createProductionConfiguration } from '../../../src/queue/core/config/presets.ts';
import { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { Asked, Reply } from './support/batching.ts';
import { serve } from './support/batching.ts';

const paths: string[] = [];

/** Notes that are read singly or by `ids`, and made singly or as an array. */
function notes(state: { count: number }, { method, path, query, text }: Asked): Reply {
  paths.push(`${method} ${path}`);
  const known = (id: string) => (id === '7' ? [] : [{ id: Number(id), text: `note ${id}` }]);
  const make = (note: object) => {
    state.count += 1;
    return { id: state.count, ...note };
  };
  if (path === '/notes/bulk') return { status: 200, body: (JSON.parse(text) as object[]).map(make) };
  if (method === 'POST') return { status: 201, body: make(JSON.parse(text) as object) };
  if (path === '/notes') return { status: 200, body: (query.get('ids') ?? '').split(',').flatMap(known) };
  const [note] = known(path.slice('/notes/'.length));
  return note === undefined ? { status: 404 } : { status: 200, body: note };
}

it('callers of a queue get what they asked for out of shared calls', async () => {
  const server = await serve(() => ({ count: 0 }), notes);
  const batch = [
    idBatch({ path: '/notes/{id}', query: { path: '/notes', parameter: 'ids' }, idType: 'number' }),
    bulkArray({ method: 'POST', path: '/notes', bulk: { path: '/notes/bulk' }, match: { by: 'position' } }),
  ];
  const zones = { notes: { origins: [server.origin], maxConcurrency: 1, batch } };
  const config = createProductionConfiguration({ backend: { kind: 'memory' }, zones });
  const queue = new QueueManager({ config });
  await queue.start();
  try {
    const api = new ApiClient({ queue, baseUrl: server.origin });
    const ids = Array.from({ length: 15 }, (_, at) => at + 1);
    const reads = await Promise.all(
      ids.map((id) =>
        api.get(`/notes/${id}`).then(
          (note) => note,
          (error: { code: string; details: { response: { status: number } } }) => error.details.response.status,
        ),
      ),
    );
    expect(reads).toEqual(ids.map((id) => (id === 7 ? 404 : { id, text: `note ${id}` })));
    const made = await Promise.all(ids.map((id) => api.post('/notes', { text: `${id}` })));
    expect(made.map((note) => (note as { text: string }).text)).toEqual(ids.map(String));
    expect(new Set(made.map((note) => (note as { id: number }).id)).size).toBe(15);
    expect(paths.length).toBeLessThan(15);
    expect(paths).toContain('GET /notes');
    expect(paths).toContain('POST /notes/bulk');
  } finally {
    await queue.close();
  }
});
