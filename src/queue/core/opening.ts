import type { Clock } from '../../system/clock.ts';
import type { Gauges } from '../../system/gauges.ts';
import { createGauges } from '../../system/gauges.ts';
import type { Ids } from '../../system/ids.ts';
import type { Random } from '../../system/random.ts';
import type { Backend } from '../types/backend.ts';
import type { Logger } from '../types/logger.ts';
import type { Transport } from '../types/transport.ts';
import { isAway } from './backendHealth.ts';
import { createBackend, createTransport } from './composition.ts';
import type { ResolvedConfiguration } from './config/types.ts';
import type { Context } from './context.ts';
import type { Emitter } from './emitter.ts';
import { Ranking } from './ranking.ts';
import { countsOf } from './report.ts';
import { currentIdentity, isGone } from './workerIdentity.ts';

/** What a queue has before it is opened. */
export interface Closed {
  readonly config: ResolvedConfiguration;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly emitter: Emitter;
  readonly logger: Logger;
  /** Those of its host, where that passed any. */
  readonly parts: {
    readonly backend?: Backend | undefined;
    readonly transport?: Transport | undefined;
    readonly gauges?: Gauges | undefined;
  };
}

/** Opens the store, as a worker of its own. */
export async function openContext(closed: Closed): Promise<Context> {
  const { config, clock, random, ids, emitter, logger, parts } = closed;
  const worker = ids.next();
  const identity = currentIdentity(worker);
  const backend = parts.backend ?? (await createBackend(config, clock));
  await backend.open({
    identity,
    now: clock.now(),
    leaseNow: clock.monotonicNow(),
    leaseMs: config.leaseMs,
    isGone: (other) => isGone(identity, other),
  });
  const transport = parts.transport ?? (await createTransport(clock));
  const gauges = parts.gauges ?? createGauges();
  const { priorityStrategy, ageingMs, flows } = config;
  const ranking = new Ranking({ priorityStrategy, ageingMs, flows }, () => clock.monotonicNow());
  return { config, clock, random, ids, backend, transport, emitter, logger, gauges, ranking, worker };
}

/** How many requests wait in the store; 0 where it cannot be asked just now. */
export async function waitingIn(backend: Backend): Promise<number> {
  try {
    const { ready, scheduled, blocked } = countsOf(await backend.requests.count({}));
    return ready + scheduled + blocked;
  } catch (error) {
    if (!isAway(backend, error)) throw error;
    return 0;
  }
}
