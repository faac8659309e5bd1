import { systemClock } from '../../../system/clock.ts';
import { Copies } from './Copies.ts';
import type { MigrationEnd } from './ends.ts';
import { withEnds } from './ends.ts';
import { lift, MOVABLE, readFence } from './fence.ts';
import { Groups } from './Groups.ts';
import { Journal, refused, renameStore, storeIdOf } from './Journal.ts';
import type { MigrateOptions } from './migrateOptions.ts';
import { checkMigrateOptions, DEFAULT_LIMIT } from './migrateOptions.ts';
import { pagesOf } from './pages.ts';
import { Report } from './Report.ts';
import { giveBackSchedules } from './schedules.ts';

/**
 * Gives up a move that was interrupted: what it had set aside in `from` is given back. `to` null says that the other store is gone for
 * good, and with it what had been handed over to it already.
 *
 * @throws BULK_REFUSED while another call moves requests out of `from`, where the interrupted one went elsewhere, and where requests
 * have been handed over: then `migrateQueue` is the way. CONFIG_INVALID as there
 */
export async function abandonMigration(
  from: MigrationEnd,
  to: MigrationEnd | null,
  options: Pick<MigrateOptions, 'clock'> = {},
): Promise<{ readonly givenBack: number }> {
  checkMigrateOptions(options);
  return withEnds(from, to, options.clock ?? systemClock, async (source, destination, mover) => {
    const { clock, ids, identity } = mover;
    const { requests, shared } = source.backend;
    const store = await storeIdOf(shared, clock, ids);
    const destinationId = destination === null ? null : await storeIdOf(destination.backend.shared, clock, ids);
    const journal = await Journal.takeOver(shared, clock, identity, destinationId);
    if (journal === undefined) return { givenBack: 0 };
    try {
      if (destination !== null && journal.phase === 'handingOver') {
        throw refused('requests have been handed over to the other store: call migrateQueue again to finish', {});
      }
      const copies =
        destination === null
          ? undefined
          : new Copies(
              {
                from: source.backend,
                to: destination.backend,
                limits: destination.limits,
                store,
                journal,
                clock,
                report: new Report(undefined),
                pageSize: DEFAULT_LIMIT,
              },
              new Groups(),
            );
      let givenBack = 0;
      for await (const page of pagesOf(requests, MOVABLE, null, DEFAULT_LIMIT)) {
        await journal.keep();
        const back = page.filter(({ sender }) => readFence(sender)?.store === store);
        await copies?.withdraw(back.map(({ id }) => id));
        await lift(requests, back, clock.now());
        givenBack += back.length;
      }
      await giveBackSchedules({ from: source.backend, journal, pageSize: DEFAULT_LIMIT });
      // Copies that were not reached bear the old name: no later move takes them for its own.
      await renameStore(shared, clock, ids);
      await journal.end();
      return { givenBack };
    } catch (error) {
      await journal.leave().catch(() => undefined); // it lapses by itself
      throw error;
    }
  });
}
