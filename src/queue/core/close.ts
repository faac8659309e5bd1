import { HoldfastError } from '../../errors.ts';
import { closedError } from './closedError.ts';
import type { Engine } from './Engine.ts';

/**
 * Ends an engine in order: no new claims, calls under way until the deadline, callers told, connections and store closed.
 * What was cut off at the deadline is settled by what is known of it.
 */
export async function closeEngine(engine: Engine, deadlineMs: number): Promise<void> {
  const { backend, transport } = engine.context;
  await before(engine, engine.stopClaiming(), deadlineMs);
  await before(engine, engine.quiet(), deadlineMs);
  // Cuts off what is left; each call then reports how far it got, which is settled like any other.
  await transport.close();
  await before(engine, engine.quiet(), deadlineMs);
  engine.intake.end(closedError(engine.context.config.name));
  await before(engine, engine.intake.drained(), deadlineMs);
  engine.callers.failAll((id) => {
    const message = `the queue was closed while request ${id} waited; it is stored and will be sent, do not repeat it`;
    return new HoldfastError('QUEUE_CLOSED', message, { accepted: true, id });
  });
  await engine.stop();
  await backend.close();
}

/** Waits for `work`, but no longer than the deadline. */
function before(engine: Engine, work: Promise<void>, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = engine.context.clock.schedule(deadlineMs, resolve, { keepAlive: true });
    void work.finally(() => {
      timer.cancel();
      resolve();
    });
  });
}
