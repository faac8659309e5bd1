import type { FetchFront } from '../types/fetch.ts';
import type { Calls } from './calls.ts';
import { DeadLetters } from './deadLetters.ts';
import type { Engine } from './Engine.ts';
import { Held } from './held.ts';
import { IdleWatch } from './idleWatch.ts';
import { LocalIds } from './localIds.ts';
import { Principals } from './principals.ts';
import { Scheduler } from './schedules/Scheduler.ts';
import { Schedules } from './schedules/Schedules.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What exists only while a queue runs. */
export interface Running {
  readonly engine: Engine;
  readonly calls: Calls;
  readonly subscriptions: Subscriptions;
  readonly deadLetters: DeadLetters;
  readonly held: Held;
  readonly localIds: LocalIds;
  readonly principals: Principals;
  readonly idle: IdleWatch;
  readonly fetch: FetchFront;
  readonly scheduler: Scheduler;
  readonly schedules: Schedules;
}

/** The desks of a queue whose engine has started. */
export function attend(engine: Engine, calls: Calls, subscriptions: Subscriptions, fetch: FetchFront): Running {
  const { context, zones, teller } = engine;
  const idle = new IdleWatch(context, context.emitter);
  const scheduler = new Scheduler(engine, calls);
  const wake = (): void => engine.wake();
  return {
    engine,
    calls,
    subscriptions,
    deadLetters: new DeadLetters(context, (requests) => calls.replay(requests)),
    held: new Held(context, zones, teller, wake),
    localIds: new LocalIds(context, zones, teller, wake),
    principals: new Principals(context, engine, { idle: (principal) => idle.wait({ principal }), wake }),
    idle,
    fetch,
    scheduler,
    schedules: new Schedules(engine, calls, scheduler),
  };
}
