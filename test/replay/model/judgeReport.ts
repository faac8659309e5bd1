import type { Json } from '../../../src/queue/types/request.ts';
import type { Find } from './findings.ts';
import type { Answer, Fields, Report, Wish } from './history.ts';
import { same } from './model.ts';
import { MERGED_FIELDS } from './rules.ts';
import type { Trace } from './Trace.ts';

/** Whether what the queue reports of a wish is what the server shows of it. */
export function judgeReport(answer: Answer, record: Report, trace: Trace, find: Find): void {
  const { wish } = answer;
  const times = trace.changesOf(wish).length;
  const untrue = (says: string): void => find('untrue', wish, `${record.state}/${record.reason}: ${says}`);
  switch (record.state) {
    case 'succeeded':
      if (times === 0 && !wasShown(wish, trace)) untrue('it was not done');
      return;
    case 'dead':
      judgeDeath(answer, record, trace, untrue);
      return;
    case 'superseded':
      if (record.reason !== 'remoteWins' || !hasGivenWay(wish, trace)) untrue('nobody else changed it');
      return;
    case 'cancelled':
      untrue('nobody asked for that');
      return;
    case 'blocked':
      if (trace.arrivalsOf(wish).length > 0) untrue('it was sent');
      return;
    case 'held':
      judgeHold(answer, record, trace, find);
      return;
    case 'ready':
    case 'scheduled':
    case 'sending':
    case 'unknown':
      return;
    default:
      record.state satisfies never;
  }
}

function judgeDeath(answer: Answer, record: Report, trace: Trace, untrue: (says: string) => void): void {
  const { wish } = answer;
  const times = isOverwritten(wish, trace) ? 0 : trace.changesOf(wish).length;
  switch (record.reason) {
    case 'rejected':
      if (wish.isBad) return;
      // Who waits gets the answer: that the thing is gone, or a 5xx to an action without a key, which may have been applied.
      if (record.told && (isGone(wish, trace) || isAnsweredAction(answer, record, trace))) return;
      untrue(times > 0 ? 'it was done' : 'the server did not refuse it');
      return;
    case 'exhausted':
      if (times > 0) untrue('it was done');
      return;
    case 'expired':
      if (times > 0) untrue('it was done');
      if (!wish.hasDeadline) untrue('it had no deadline');
      return;
    case 'abandoned': {
      const cause = trace.history.answers.find(({ records }) => records[0]?.id === record.bundle);
      if (cause?.records[0]?.state !== 'dead') untrue('what it depends on did not fail');
      if (trace.arrivalsOf(wish).length > 0) untrue('it was sent');
      return;
    }
    default:
      untrue('nobody asked for that');
  }
}

/** Somebody else undid it before it was known to be done: whoever compares finds that it is not, and it may be given up by then. */
function isOverwritten(wish: Wish, trace: Trace): boolean {
  const last = trace.changesOf(wish).at(-1);
  if (last === undefined || !trace.isGuarded(wish)) return false;
  return trace.foreignSince(wish).some(({ at, before, after }) => {
    if (at < last.at) return false;
    return after === null || Object.keys(wish.fields).some((field) => !same(before?.[field], after[field]));
  });
}

function isAnsweredAction({ wish }: Answer, { effect }: Report, { history: { scenario } }: Trace): boolean {
  return wish.isAwaited && (effect === 'action' || effect === 'create') && scenario.flavour !== 'keyed';
}

/** What it changes was not there when it was sent last. */
function isGone(wish: Wish, trace: Trace): boolean {
  const lastSent = trace.arrivalsOf(wish).at(-1)?.at ?? 0;
  return wish.thing !== null && trace.stateAt(trace.pathOf(wish.thing), lastSent) === null;
}

function judgeHold({ wish }: Answer, record: Report, trace: Trace, find: Find): void {
  const isFalse = (says: string): void => find('falseHold', wish, `held/${record.reason}: ${says}`);
  switch (record.reason) {
    case 'unknown':
      // It may have been done, or not; how often is counted elsewhere.
      return;
    case 'conflict':
      if (isAgreed(wish, trace)) isFalse('the server has what was meant');
      else if (!isContested(wish, trace)) isFalse('nobody else changed what it changes');
      return;
    case 'dependency':
      if (!isWithoutId(wish, trace)) isFalse('what it waits for is there');
      return;
    default:
      isFalse('for no reason of this world');
  }
}

/** The server has all the wish means to set, and nothing happened there since it was sent last. */
function isAgreed(wish: Wish, trace: Trace): boolean {
  const path = trace.pathOf(wish.thing);
  const lastSent = trace.arrivalsOf(wish).at(-1)?.at ?? Number.POSITIVE_INFINITY;
  if (trace.changes.some((change) => change.path === path && change.by !== wish.n && change.at > lastSent))
    return false;
  return shows(wish, trace, trace.history.log.length);
}

function shows(wish: Wish, trace: Trace, at: number): boolean {
  const state = trace.stateAt(trace.pathOf(wish.thing), at);
  if (wish.kind === 'delete') return state === null;
  if (state === null) return false;
  const changed = Object.entries(wish.fields).filter(([field, value]) => !isUnchanged(wish, field, value, trace));
  return (
    changed.every(([field, value]) => same(state[field] ?? null, value)) && !keeps(wish, state, trace.ownState(wish))
  );
}

/** What a whole leaves out is there as it was. */
function keeps({ kind, fields }: Wish, state: Fields, before: Fields | null): boolean {
  if (kind !== 'replace') return false;
  const left = Object.entries(before ?? {}).filter(([field]) => !Object.hasOwn(fields, field));
  return left.some(([field, value]) => same(state[field], value));
}

/** On a version, a field that is sent as it was is no change: what others made of it stands. */
function isUnchanged(wish: Wish, field: string, value: Json, trace: Trace): boolean {
  if (!trace.isGuarded(wish)) return false;
  const before = trace.ownState(wish);
  return before !== null && same(before[field] ?? null, value);
}

/** At some time since it was sent first, if it ever arrived, the server had what the wish means: then nothing is left to do. */
function wasShown(wish: Wish, trace: Trace): boolean {
  if (wish.kind === 'create' || wish.kind === 'child' || wish.kind === 'act') return false;
  const from = trace.arrivalsOf(wish)[0]?.at ?? 0;
  const path = trace.pathOf(wish.thing);
  const later = trace.changes.filter((change) => change.path === path && change.at >= from);
  return [from, ...later.map(({ at }) => at + 1)].some((at) => shows(wish, trace, at));
}

/** Somebody else changed what the wish changes too, and no rule says who wins. */
function isContested(wish: Wish, trace: Trace): boolean {
  const { flavour, deleteWins, onGone } = trace.history.scenario;
  // It is there no more, and nobody said what is to become of that.
  if (flavour !== 'conditional' && isGone(wish, trace)) return true;
  return trace.foreignSince(wish).some(({ before, after }) => {
    if (after === null)
      return wish.kind !== 'delete' && (onGone === 'hold' || (onGone === 'recreate' && wish.kind !== 'replace'));
    if (wish.kind === 'delete') return !deleteWins;
    return Object.keys(wish.fields).some((field) => !(field in MERGED_FIELDS) && !same(before?.[field], after[field]));
  });
}

/** Somebody else changed something that is left to the server, or removed it. */
function hasGivenWay(wish: Wish, trace: Trace): boolean {
  return trace.foreignSince(wish).some(({ before, after }) => {
    if (after === null) return trace.history.scenario.onGone === 'drop';
    return Object.keys(wish.fields).some((field) => isTheirs(field) && !same(before?.[field], after[field]));
  });
}

function isTheirs(field: string): boolean {
  return Object.entries(MERGED_FIELDS).some(([name, side]) => name === field && side === 'remote');
}

/** What it refers to was made, and the answer with its id was lost, where nothing else tells it; or it is not known to be made. */
function isWithoutId(wish: Wish, trace: Trace): boolean {
  const { flavour, hasLocation } = trace.history.scenario;
  return [wish.thing, wish.refersTo].some((thing) => {
    const maker = trace.makerOf(thing);
    if (maker === undefined || maker.wish.n === wish.n) return false;
    const state = maker.records[0]?.state;
    if (state === 'succeeded') return flavour === 'bare' && !hasLocation;
    return state === 'superseded' || state === 'cancelled';
  });
}
