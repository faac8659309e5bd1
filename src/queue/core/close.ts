import { HoldfastError } from '../../errors.ts';
import { closedError } from './closedError.ts';
import type { Engine } from './Engine.ts';
import { messageOf } from './tell.ts';

/** What the end itself may take after the deadline: storing how far the calls got that were cut off. */
const GRACE_MS = 2_000;
const PAGE = 200;

/**
 * Ends an engine in order: no new claims, calls under way until the deadline, callers told, connections and store closed.
 * What was cut off at the deadline is settled by what is known of it.
 */
export async function closeEngine(engine: Engine, deadlineMs: number): Promise<void> {
  const { backend, clock, config, transport } = engine.context;
  const deadline = clock.monotonicNow() + deadlineMs;
  const remaining = (): number => Math.max(0, deadline - clock.monotonicNow());
  await before(engine, engine.stopClaiming(), remaining());
  await before(engine, engine.quiet(), remaining());
  // Cuts off what is left; each call then reports how far it got, which is settled like any other.
  await transport.close();
  await before(engine, engine.quiet(), GRACE_MS);
  engine.intake.end(closedError(config.name));
  await before(engine, engine.intake.drained(), GRACE_MS);
  await before(engine, tellCallers(engine), GRACE_MS);
  engine.callers.failAll((id) => stillStored(id));
  await engine.stop();
  await backend.close();
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

function stillStored(id: string): HoldfastError {
  const message = `the queue was closed while request ${id} waited; it is stored and will be sent, do not repeat it`;
  return new HoldfastError('QUEUE_CLOSED', message, { accepted: true, id });
}

/** Waits for `work`, but no longer than `ms`. */
function before(engine: Engine, work: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = engine.context.clock.schedule(ms, resolve, { keepAlive: true });
    void work.finally(() => {
      timer.cancel();
      resolve();
    });
  });
}
