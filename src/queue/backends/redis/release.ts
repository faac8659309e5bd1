import type { StoredRequest } from '../../types/request.ts';
import { NO_PROGRESS } from '../../types/request.ts';
import type { EnqueueResult, Settlement } from '../../types/store.ts';
import type { Caller } from './call.ts';
import { packSettlement } from './pack.ts';

/**
 * Gives back leases whose grant was heard of too late: who claimed was told that the server did not answer, so nothing was sent
 * and nobody else need wait for the leases to lapse.
 */
export function releaseClaimed(link: Caller, claimed: readonly StoredRequest[], now: number): void {
  release(
    link,
    claimed.flatMap(({ id, lease, progress }) => (lease === null ? [] : [unsent(id, lease.token, progress)])),
    now,
  );
}

/** The same for leases given at acceptance. */
export function releaseAccepted(link: Caller, results: readonly EnqueueResult[], now: number): void {
  release(
    link,
    results.flatMap((one) =>
      one.status === 'accepted' && one.token !== null ? [unsent(one.id, one.token, NO_PROGRESS)] : [],
    ),
    now,
  );
}

function unsent(id: string, token: number, progress: StoredRequest['progress']): Settlement {
  return { id, token, next: { state: 'ready', reason: 'accepted' }, progress, notSent: true };
}

function release(link: Caller, settlements: readonly Settlement[], now: number): void {
  if (settlements.length === 0) return;
  const payload = [now, settlements.map((one) => packSettlement(one, link.packer))];
  // Where this fails too the leases lapse.
  link.call('settle', payload, { writes: true }).catch(() => undefined);
}
