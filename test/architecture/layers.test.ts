import { describe, expect, it } from 'vitest';
import { cyclesAmong } from './support/cycles.ts';
import { layerOf, objection } from './support/layers.ts';
import type { Import, SourceFile } from './support/project.ts';
import { sourcesUnder } from './support/project.ts';

const files = sourcesUnder('src');

describe('the layers of src', () => {
  it('hold every file', () => {
    expect(files.filter(({ path }) => layerOf(path) === undefined).map(({ path }) => path)).toEqual([]);
  });

  it('refer to each other only along the arrows', () => {
    const objections = files.flatMap((file) =>
      file.imports.flatMap((reference) => {
        const why = objection(file.path, reference);
        return why === undefined ? [] : [`${file.path}:${reference.line} ${reference.specifier}: ${why}`];
      }),
    );
    expect(objections).toEqual([]);
  });

  it('name files with their extension', () => {
    const wrong = files.flatMap((file) =>
      file.imports
        .filter(({ kind, target }) => kind !== 'worker' && target !== undefined && !target.endsWith('.ts'))
        .map(({ line, specifier }) => `${file.path}:${line} ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  it('have no circle of imports', () => {
    expect(cyclesAmong(files)).toEqual([]);
  });
});

describe('the check of the layers', () => {
  const to = (target: string, kind: Import['kind'] = 'static'): Import => ({ kind, specifier: '', target, line: 1 });

  it.each([
    ['src/queue/strategies/retry.ts', to('src/queue/backends/codec.ts', 'type')],
    ['src/queue/core/QueueManager.ts', to('src/client/ApiClient.ts', 'type')],
    ['src/queue/backends/sqlite/SQLiteBackend.ts', to('src/queue/core/config/defaults.ts', 'type')],
    ['src/queue/backends/sqlite/SQLiteBackend.ts', to('src/queue/backends/memory/heap.ts')],
    ['src/queue/backends/sqlite/SQLiteBackend.ts', to('src/system/clock.ts')],
    ['src/queue/core/QueueManager.ts', to('src/queue/backends/sqlite/SQLiteBackend.ts', 'lazy')],
    ['src/QuickSetup.ts', to('src/queue/backends/sqlite/SQLiteBackend.ts')],
    ['src/queue/core/composition.ts', to('src/client/transport/UndiciTransport.ts')],
    ['src/queue/monitoring/counters.ts', to('src/queue/core/emitter.ts', 'type')],
    ['src/client/ApiClient.ts', to('src/client/autotask/AutotaskClient.ts')],
  ])('objects to an arrow out of %s', (from, reference) => {
    expect(objection(from, reference)).toBeTypeOf('string');
  });

  it.each([
    ['src/queue/core/send.ts', to('src/queue/strategies/retry.ts')],
    ['src/client/ApiClient.ts', to('src/queue/core/QueueManager.ts')],
    ['src/queue/backends/sqlite/SQLiteBackend.ts', to('src/queue/backends/codec.ts')],
    ['src/queue/backends/sqlite/SQLiteBackend.ts', to('src/system/clock.ts', 'type')],
    ['src/QuickSetup.ts', to('src/queue/backends/sqlite/SQLiteBackend.ts', 'lazy')],
    ['src/queue/core/composition.ts', to('src/client/transport/UndiciTransport.ts', 'lazy')],
  ])('accepts an arrow out of %s', (from, reference) => {
    expect(objection(from, reference)).toBeUndefined();
  });

  it('finds a circle through type-only imports', () => {
    const file = (path: string, target: string): SourceFile => ({
      path,
      text: '',
      code: '',
      imports: [to(target, 'type')],
    });
    expect(cyclesAmong([file('a.ts', 'b.ts'), file('b.ts', 'c.ts'), file('c.ts', 'b.ts')])).toEqual([
      'b.ts → c.ts → b.ts',
    ]);
  });
});
