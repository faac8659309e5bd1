import type { Verb, Verbs } from '../protocol.ts';
import type { Rows } from '../Rows.ts';
import { recordById } from '../records.ts';
import { amend } from './amend.ts';
import { binding } from './bindings.ts';
import { claim, claimUnknown, renew } from './claim.ts';
import { enqueue } from './enqueue.ts';
import { expire, nextDueAt } from './expire.ts';
import { count, find } from './find.ts';
import { append, history, trim } from './history.ts';
import { purge } from './purge.ts';
import { recover } from './recover.ts';
import { scheduleDelete, scheduleDue, scheduleGet, scheduleList, scheduleNext, scheduleSet } from './schedules.ts';
import { settle } from './settle.ts';
import { acquire, release, sharedDelete, sharedGet, sharedList, sharedSet, take } from './shared.ts';
import { keepAlive, leave, workers } from './workers.ts';

/** What each verb does, inside a transaction that its caller began. */
export const VERBS: { readonly [V in Verb]: (rows: Rows, takes: Verbs[V]['takes']) => Verbs[V]['gives'] } = {
  enqueue,
  claim,
  claimUnknown,
  renew,
  settle,
  amend,
  recover,
  expire,
  get: (rows, ids) => ids.map((id) => recordById(rows, id)),
  find,
  count,
  purge,
  nextDueAt,
  bindings: (rows, localIds) => localIds.map((localId) => binding(rows, localId)),
  workers,
  keepAlive,
  leave,
  sharedGet,
  sharedSet,
  sharedDelete,
  sharedList,
  acquire,
  release,
  take,
  append,
  history,
  trim,
  scheduleSet,
  scheduleGet,
  scheduleList,
  scheduleDelete,
  scheduleDue,
  scheduleNext,
};
