import type { Context } from '../context.ts';
import type { SettleJob } from '../settler.ts';
import type { Channel } from './Channel.ts';

/** So much later than others is tried with what two probes in a row failed. */
const BEHIND_MS = 1_000;

/**
 * How a request goes on with which it was to be found out whether `via` works again. The second time in a row that this failed with it,
 * it may be this very request that the zone cannot cope with: then it stands behind what else there is to ask with.
 */
export function afterProbe(job: SettleJob, via: Channel, { clock }: Context): SettleJob {
  const { next, notSent } = job.settlement;
  // What never reached the server cannot be what it does not cope with.
  const hasFailed = next.state === 'scheduled' && next.reason === 'retry' && notSent !== true;
  const isAgain = hasFailed && via.failedProbe === job.request.id;
  via.failedProbe = hasFailed ? job.request.id : undefined;
  const now = clock.monotonicNow();
  const closedMs = via.reopensAt(now) - now;
  if (!isAgain || closedMs <= 0 || !Number.isFinite(closedMs)) return job;
  const dueAt = Math.max(next.dueAt ?? 0, Math.ceil(clock.now() + closedMs) + BEHIND_MS);
  return { ...job, settlement: { ...job.settlement, next: { ...next, dueAt } } };
}
