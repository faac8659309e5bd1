import { describe, expect, it } from 'vitest';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import { createProductionConfiguration } from '../../src/queue/core/config/presets.ts';
import { resolveConfiguration, validateConfiguration } from '../../src/queue/core/config/resolve.ts';
import { listProtocol } from './support/protocol.ts';
import { ZONE } from './support/world.ts';

const origins = ['https://api.test'];

describe('batching in a configuration', () => {
  it('is off by default, on in production, and of effect only when it is on', () => {
    const zones = { [ZONE]: { origins, batch: listProtocol() } };
    const batchOf = (options: QueueOptions) => resolveConfiguration(options).zones[ZONE]?.batch;
    expect(batchOf({ zones })).toEqual([]);
    expect(batchOf({ zones, batchingEnabled: true })).toHaveLength(1);
    expect(createProductionConfiguration().batchingEnabled).toBe(true);
    expect(createProductionConfiguration({ batchingEnabled: false }).batchingEnabled).toBe(false);
  });

  it('is checked whole, each problem at its place', () => {
    const batch = [
      listProtocol({ name: 'a/b', maxItems: 0 }),
      listProtocol({ name: 'twice' }),
      listProtocol({ name: 'twice', countsAs: 'some' as never, carriesHeaders: undefined as never }),
      {},
    ];
    const problems = validateConfiguration({ maxBatchSize: 0, batchTimeoutMs: -1, zones: { api: { origins, batch } } });
    expect(problems.map(({ path }) => path)).toEqual([
      'maxBatchSize',
      'batchTimeoutMs',
      'zones.api.batch.0.name',
      'zones.api.batch.0.maxItems',
      'zones.api.batch.2.countsAs',
      'zones.api.batch.2.carriesHeaders',
      'zones.api.batch.2.name',
      'zones.api.batch.3',
    ]);
    expect(validateConfiguration({ zones: { api: { origins, batch: 'list' } } })).toMatchObject([
      { path: 'zones.api.batch', expected: 'an adapter with key, compose and outcomes' },
    ]);
  });
});
