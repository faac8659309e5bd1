import { onTestFinished } from 'vitest';
import type { QueueOptions } from '../../../../src/queue/core/config/options.ts';
import type { Child } from '../../../processes/support/child.ts';
import { DIST, startChild } from '../../../processes/support/child.ts';
import type { ORDERS } from './kinds.ts';
import type { StoreAt } from './stores.ts';

/** Where a child can be made to die, in the order of a request's way. */
export type DeathPoint =
  /** Stored; nobody knows. */
  | 'accepted'
  /** Claimed, and so durably being sent; nothing was sent. */
  | 'claimed'
  | 'beforeFirstByte'
  /** The body is with the system; no answer was read. */
  | 'afterBody'
  /** Status and headers were read; the body of the answer is on its way. */
  | 'head'
  /** The answer is whole; nothing of it is stored. */
  | 'answered'
  /** What came of it is stored; nobody knows. */
  | 'settled';

/** What a child is told to be. JSON on its command line. */
export interface FaultOrder {
  /** Folder of the compiled package. */
  readonly dist: string;
  readonly backend: StoreAt;
  readonly zones: QueueOptions['zones'];
  readonly options?: Omit<QueueOptions, 'backend' | 'zones'> | undefined;
  /** A client with a resource whose things are known by a stamp in one of their fields. */
  readonly orders?: (typeof ORDERS & { readonly baseUrl: string }) | undefined;
  /** Sends nothing. */
  readonly paused?: boolean | undefined;
  /** Where to die, once so many requests have come there; absent: nowhere. */
  readonly die?: { readonly at: DeathPoint; readonly count: number } | undefined;
}

const SCRIPT = new URL('./faultChild.mjs', import.meta.url);

/** A child whose queue is open, gone after the test. */
export async function faultChild(order: Omit<FaultOrder, 'dist'>): Promise<Child> {
  const child = startChild(SCRIPT, [JSON.stringify({ dist: DIST, ...order })]);
  onTestFinished(async () => {
    await child.kill();
  });
  await child.line('open');
  return child;
}
