import { HoldfastError } from '../../errors.ts';
import { closedError } from './closedError.ts';
import type { Engine } from './Engine.ts';
import type { Subscriptions } from './subscriptions.ts';
import { messageOf } from './tell.ts';

/** What the end itself may take after the deadline: storing how far the calls got that were cut off. */
const GRACE_MS = 2_000;
const PAGE = 200;

/**
 * Ends an engine in order: no new claims, calls and handlers under way until the deadline, callers told, connections and store
 * closed. What was cut off at the deadline is settled by what is known of it. No part that fails or hangs keeps back the rest.
 */
export async function closeEngine(
  engine: Engine,
  subscriptions: Subscriptions,
  unscheduled: Promise<void>,
  deadlineMs: number,
): Promise<void> {
  const { backend, clock, config, transport } = engine.context;
  const deadline = clock.monotonicNow() + deadlineMs;
  const remaining = (): number => Math.max(0, deadline - clock.monotonicNow());
  await before(engine, engine.stopClaiming(), remaining());
  const unsubscribed = subscriptions.stop();
  await before(engine, Promise.all([engine.quiet(), unsubscribed, unscheduled]), remaining());
  // Cuts off what is left; each call then reports how far it got, which is settled like any other.
  await before(engine, transport.close(), GRACE_MS);
  await before(engine, engine.quiet(), GRACE_MS);
  engine.intake.end(closedError(config.name));
  await before(engine, engine.intake.drained(), GRACE_MS);
  await before(engine, tellCallers(engine), GRACE_MS);
  engine.callers.failAll((id) => lastWord(engine, id));
  // A handler may have waited for a call: it has heard of its end now, and its place can still be stored.
  await before(engine, unsubscribed, GRACE_MS);
  await before(engine, engine.stop(), GRACE_MS);
  await backend.close();
}

/** Ends an engine that did not come to run: nobody was let in, so that nobody has to be told. The store stays open. */
export async function abortStart(engine: Engine): Promise<void> {
  await before(engine, engine.stopClaiming(), GRACE_MS);
  await before(engine, engine.context.transport.close(), GRACE_MS);
  await before(engine, engine.quiet(), GRACE_MS);
  await before(engine, engine.stop(), GRACE_MS);
}

/** Tells those who wait whether their request outlives the queue; a read whose caller was to get the answer does not. */
async function tellCallers(engine: Engine): Promise<void> {
  const { backend, config, logger } = engine.context;
  const ids = engine.callers.ids();
  try {
    for (let from = 0; from < ids.length; from += PAGE) {
      for (const record of await backend.requests.get({ ids: ids.slice(from, from + PAGE) })) {
        if (record === undefined) continue;
        engine.teller.tellRecord(record);
        engine.callers.fail(record.id, record.ephemeral ? closedError(config.name) : stillStored(record.id));
      }
    }
  } catch (error) {
    logger.warn('waiting callers were not looked up', { error: messageOf(error) });
  }
}

/** For whom the store did not answer in time: what is known of the request without it. */
function lastWord(engine: Engine, id: string): HoldfastError {
  const { intake, context } = engine;
  if (intake.isStoring(id)) return openAcceptance(id);
  return intake.reads.has(id) ? closedError(context.config.name) : stillStored(id);
}

function stillStored(id: string): HoldfastError {
  const message = `the queue was closed while request ${id} waited; it is stored and will be sent, do not repeat it`;
  return new HoldfastError('QUEUE_CLOSED', message, { accepted: true, id });
}

function openAcceptance(id: string): HoldfastError {
  const message = `the queue was closed before the store answered whether it took request ${id}; look it up before repeating it`;
  return new HoldfastError('BACKEND_UNAVAILABLE', message, { accepted: null, id });
}

/** Waits for `work`, but no longer than `ms`. That it failed is logged. */
function before(engine: Engine, work: Promise<unknown>, ms: number): Promise<void> {
  const { clock, logger } = engine.context;
  return new Promise((resolve) => {
    const timer = clock.schedule(ms, resolve, { keepAlive: true });
    const done = (): void => {
      timer.cancel();
      resolve();
    };
    work.then(done, (error: unknown) => {
      logger.warn('closing met an error', { error: messageOf(error) });
      done();
    });
  });
}
