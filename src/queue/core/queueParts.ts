import type { Clock } from '../../system/clock.ts';
import type { Gauges } from '../../system/gauges.ts';
import type { Random } from '../../system/random.ts';
import type { Backend } from '../types/backend.ts';
import type { QueuedFetch } from '../types/fetch.ts';
import type { Transport } from '../types/transport.ts';
import type { QueueOptions } from './config/options.ts';
import type { QueueDispatcher } from './frontFetch.ts';

/** Parts of a queue. All have working defaults; tests and hosts pass their own. */
export interface QueueParts {
  /** @default all defaults */
  readonly config?: QueueOptions | undefined;
  /** @default the system's */
  readonly clock?: Clock | undefined;
  /** @default the system's */
  readonly random?: Random | undefined;
  /** Closed with the queue. @default HTTP over pooled connections */
  readonly transport?: Transport | undefined;
  /** Instead of the backend of the configuration; closed with the queue. */
  readonly backend?: Backend | undefined;
  /** How busy the process is, for `shedding`. @default the system's */
  readonly gauges?: Gauges | undefined;
}

/** A queue with options for all calls made through it. */
export interface BoundQueue {
  readonly fetch: QueuedFetch;
  readonly dispatcher: QueueDispatcher;
  /** Calls `run`; every call made within it, however deep, has the options, unless it says otherwise itself. */
  run<T>(run: () => T): T;
}
