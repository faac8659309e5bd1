import type { Clock } from '../../system/clock.ts';
import type { Gauges } from '../../system/gauges.ts';
import type { Ids } from '../../system/ids.ts';
import type { Random } from '../../system/random.ts';
import type { Backend } from '../types/backend.ts';
import type { Logger } from '../types/logger.ts';
import type { Transport } from '../types/transport.ts';
import type { ResolvedConfiguration } from './config/types.ts';
import type { Emitter } from './emitter.ts';
import type { Ranking } from './ranking.ts';

/** What every stage of one queue shares. Built once by the queue, handed to the constructors, never global. */
export interface Context {
  readonly config: ResolvedConfiguration;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly backend: Backend;
  readonly transport: Transport;
  readonly emitter: Emitter;
  readonly logger: Logger;
  readonly gauges: Gauges;
  readonly ranking: Ranking;
  /** Id of this run of the queue: what its leases are held by. */
  readonly worker: string;
}

/** Monotonic time until which a lease taken now holds. */
export function leaseUntil(context: Context): number {
  return context.clock.monotonicNow() + context.config.leaseMs;
}
