import type { Clock } from '../../../system/clock.ts';
import { systemClock } from '../../../system/clock.ts';
import { systemRandom } from '../../../system/random.ts';
import type { Backend } from '../../types/backend.ts';
import { expireRanks } from '../rankMark.ts';
import type { MigrationEnd, Mover, OpenEnd } from './ends.ts';
import { invalid, withEnds } from './ends.ts';
import { Journal, storeIdOf } from './Journal.ts';
import { Migration } from './Migration.ts';
import type { MigrateOptions } from './migrateOptions.ts';
import { checkMigrateOptions, DEFAULT_LIMIT } from './migrateOptions.ts';
import { Report } from './Report.ts';
import type { MigrationResult } from './result.ts';
import { moveSchedules } from './schedules.ts';
import { shareDigestKey } from './trust.ts';

/** Requests repaired per step. */
const REPAIRS = 256;

/**
 * Moves requests that wait (ready, scheduled, blocked, held), and schedules, from one store to another: with their ids, in their order,
 * with what became of them so far. A schedule fires in one of both at most, each time once; one that the other store has already stays.
 * Nobody can ever take a request up in both, while processes work on either store, and whatever happens: a call that
 * died, on whichever line, is made good by the next one to the same destination, which loses nothing and doubles nothing.
 * Until then what it had set aside waits, or is given back by `abandonMigration`.
 *
 * What stays is told in the result: what a process has in hand, or only a living process can send, what is in doubt, what the other store
 * refuses; and what goes with those, by lane or by `after`. Dead workers' requests are repaired first, as any process does.
 *
 * The record in `from` ends `superseded` (`moved`), is kept as long as others, and keeps its key taken there. The order of a lane is
 * kept for what is accepted into `from` before the last look: let nobody accept into it meanwhile. What was moved is ordered by the strategy of
 * `to` as soon as a process that works there has looked, or starts.
 *
 * @throws CONFIG_INVALID for an end or an option that cannot be used, and where both ends are one store or copies of one;
 * BULK_REFUSED while another call moves requests out of `from`, and after one to elsewhere was interrupted;
 * what a store throws, and the reason of `signal`
 *
 * @example
 * await migrateQueue({ kind: 'sqlite', path: './data/queue.db' }, { kind: 'sqlite', path: '/mnt/new/queue.db' });
 */
export async function migrateQueue(
  from: MigrationEnd,
  to: MigrationEnd,
  options: MigrateOptions = {},
): Promise<MigrationResult> {
  checkMigrateOptions(options);
  // It would stand for a store that is gone, which nothing can be moved to.
  if ((to as unknown) === null) throw invalid([{ path: 'to', expected: 'an object', got: 'null' }]);
  return withEnds(from, to, options.clock ?? systemClock, async (source, destination, mover) => {
    const { clock, ids, identity } = mover;
    const { shared } = source.backend;
    const store = await storeIdOf(shared, clock, ids);
    const destinationId = await storeIdOf(destination.backend.shared, clock, ids);
    if (store === destinationId) {
      throw invalid([{ path: 'to', expected: 'another store than `from`', got: 'the same one, or a copy of it' }]);
    }
    const journal = await Journal.take(shared, clock, identity, destinationId);
    try {
      const report = await move({ source, destination, store, journal, mover, options });
      await journal.end();
      return report.result;
    } catch (error) {
      // Gone already where everything was given back, or to be had once it lapses.
      await journal.leave().catch(() => undefined);
      throw error;
    }
  });
}

async function move(given: {
  readonly source: OpenEnd;
  readonly destination: OpenEnd;
  readonly store: string;
  readonly journal: Journal;
  readonly mover: Mover;
  readonly options: MigrateOptions;
}): Promise<Report> {
  const { source, destination, store, journal, mover, options } = given;
  const { clock } = mover;
  const report = new Report(options.onProgress);
  const parts = {
    from: source.backend,
    to: destination.backend,
    store,
    journal,
    clock,
    report,
    filter: options.filter ?? {},
    limits: destination.limits,
    pageSize: options.limit ?? DEFAULT_LIMIT,
    sharesKeys: await shareDigestKey(source.backend, destination.backend, clock, systemRandom),
    signal: options.signal,
  };
  const isWhole = Object.values(parts.filter).every((value) => value === undefined);
  await recover(source.backend, clock, mover.identity.worker);
  if (journal.phase === 'handingOver') {
    // What stays this time is looked at again below, and told then.
    await moveSchedules(parts, isWhole ? 'all' : 'setAside');
    const before = new Report(options.onProgress);
    const interrupted = new Migration({ ...parts, report: before });
    await interrupted.handOver(true);
    await interrupted.release();
    report.moved(before.result.moved);
    await journal.enter('moving');
  }
  const migration = new Migration(parts);
  await migration.prepare();
  await journal.enter('handingOver');
  if (isWhole) await moveSchedules(parts, 'all');
  await migration.handOver(false);
  await migration.release();
  if (report.result.moved > 0 || journal.found !== null) await expireRanks(destination.backend.shared, clock.now());
  return report;
}

/** Repairs what dead workers left, so that it can be moved. */
async function recover({ requests }: Backend, clock: Clock, worker: string): Promise<void> {
  for (let more = true; more; ) {
    const query = { worker, now: clock.now(), leaseNow: clock.monotonicNow(), limit: REPAIRS };
    const { recovered, ended, more: isMore } = await requests.recover(query);
    more = isMore && recovered.length + ended.length > 0;
  }
}
