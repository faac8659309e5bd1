import type { BatchAdapter } from '../../types/batch.ts';
import type { Context } from '../context.ts';
import type { ZonePolicy } from '../zonePolicy.ts';
import { Batching } from './Batching.ts';
import { GuardedAdapter } from './GuardedAdapter.ts';

/** The batch adapters of the zones of a queue, each guarded once. */
export class Adapters {
  readonly #context: Context;
  readonly #guarded = new WeakMap<BatchAdapter, GuardedAdapter>();
  readonly #ofZones = new WeakMap<ZonePolicy['batch'], readonly GuardedAdapter[]>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Those of a zone, in their order. */
  of({ batch }: ZonePolicy): readonly GuardedAdapter[] {
    const known = this.#ofZones.get(batch);
    if (known !== undefined) return known;
    const made = batch.map((adapter) => this.#guard(adapter));
    this.#ofZones.set(batch, made);
    return made;
  }

  /** For a channel of that adapter; undefined where its zone has none of that name. */
  batchingOf({ policy }: { readonly policy: ZonePolicy }, name: string | null): Batching | undefined {
    const adapter = name === null ? undefined : policy.batch.find((one) => one.name === name);
    if (adapter === undefined) return undefined;
    const { config, clock } = this.#context;
    const limits = { maxSize: config.maxBatchSize, windowMs: config.batchTimeoutMs };
    return new Batching(this.#guard(adapter), limits, clock);
  }

  #guard(adapter: BatchAdapter): GuardedAdapter {
    const known = this.#guarded.get(adapter);
    if (known !== undefined) return known;
    const guarded = new GuardedAdapter(adapter, this.#context.logger);
    this.#guarded.set(adapter, guarded);
    return guarded;
  }
}
