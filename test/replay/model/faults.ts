import type { Clock } from '../../../src/system/clock.ts';
import type { FakeServer, NetworkStep } from '../../../src/testing/FakeServer.ts';
import { refused } from '../../../src/testing/FakeServer.ts';
import type { ReceivedRequest } from '../../../src/testing/serverSteps.ts';
import {
  applyThenHang,
  applyThenReset,
  hang,
  partialBody,
  partialHead,
  refuse,
  resetBeforeApply,
  slow,
  unavailable,
} from '../../../src/testing/serverSteps.ts';

/** How a call that arrives can fail. */
export const FAULTS = [
  'refused',
  'applyThenReset',
  'resetBeforeApply',
  'applyThenHang',
  'hang',
  'partialHead',
  'partialBody',
  'unavailable',
  'unavailableFor',
  /** 500, not applied. */
  'failed',
  /** Applied, and then a gateway says 504. */
  'failedAfter',
  'limited',
  'slow',
  /** Parked by something in between while the client gives up on it; applied 20 s later. */
  'late',
] as const;

export type Fault = 'none' | (typeof FAULTS)[number];

const LATE_MS = 20_000;
const SLOW_MS = 3_000;
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** What happens to a call by its fault; undefined: nothing. */
export function stepOf(
  fault: Fault,
  request: ReceivedRequest,
  { server, clock, mayBeLate }: { readonly server: FakeServer; readonly clock: Clock; readonly mayBeLate: boolean },
): NetworkStep | undefined {
  const apply = () => server.ledger.apply(request, server.respond);
  switch (fault) {
    case 'none':
      return undefined;
    case 'refused':
      return refused;
    case 'applyThenReset':
      return applyThenReset;
    case 'resetBeforeApply':
      return resetBeforeApply;
    case 'applyThenHang':
      return applyThenHang;
    case 'hang':
      return hang;
    case 'partialHead':
      return partialHead;
    case 'partialBody':
      return partialBody;
    case 'unavailable':
      return unavailable();
    case 'unavailableFor':
      return unavailable(20);
    case 'failed':
      return refuse({ status: 500, body: { error: 'out of order' } });
    case 'failedAfter':
      if (!READS.has(request.method)) apply();
      return refuse({ status: 504, body: { error: 'no answer from the application' } });
    case 'limited':
      return refuse({ status: 429, headers: [['retry-after', '5']], body: { error: 'too many' } });
    case 'slow':
      return slow(SLOW_MS);
    case 'late':
      if (isRecognised(request, mayBeLate)) clock.schedule(LATE_MS, apply);
      return resetBeforeApply;
    default:
      return fault satisfies never;
  }
}

/**
 * What comes late does no harm where the server knows it, or refuses it, by then. A POST without a key is not sent again before it was looked for,
 * which waits longer than that, if it is known when it was sent (`mayBeLate`); other writes are, and no client can help what lands after the next of
 * its lane.
 */
function isRecognised({ method, headers }: ReceivedRequest, mayBeLate: boolean): boolean {
  if (READS.has(method)) return false;
  if (headers.some(([name]) => name === 'idempotency-key' || name === 'if-match')) return true;
  return method === 'POST' && mayBeLate;
}
