import type { Find, Finding } from './findings.ts';
import type { Answer, Fields, History, Report } from './history.ts';
import { judgeReport } from './judgeReport.ts';
import { Model, same, sameFields } from './model.ts';
import { Trace } from './Trace.ts';

/** Everything that is wrong with a run; nothing, if all is well. */
export function judge(history: History): Finding[] {
  const findings: Finding[] = [];
  const find: Find = (rule, wish, says) => findings.push({ rule, wish: wish?.n ?? null, says });
  const trace = new Trace(history);
  for (const answer of history.answers) {
    judgeAcceptance(answer, trace, find);
    judgeTold(answer, find);
    judgeCount(answer, trace, find);
    judgeGuard(answer, trace, find);
    const [record] = answer.records;
    if (record !== undefined) judgeReport(answer, record, trace, find);
  }
  judgeRest(trace, find);
  judgeOrder(trace, find);
  judgeState(trace, find);
  return findings;
}

function judgeAcceptance({ wish, acceptance, records }: Answer, trace: Trace, find: Find): void {
  if (records.length > 1) find('doubled', wish, `${records.length} records`);
  if (acceptance === 'accepted' && records.length === 0) find('lost', wish, 'no record of what was accepted');
  if (typeof acceptance === 'string') return;
  if (records.length > 0) find('refused', wish, `refused (${acceptance.refused}), and stored`);
  if (trace.arrivalsOf(wish).length > 0) find('refused', wish, `refused (${acceptance.refused}), and sent`);
  // What can never have a server id may not be referred to.
  const isHopeless = [wish.thing, wish.refersTo].some((thing) => {
    const maker = trace.makerOf(thing);
    return maker !== undefined && maker.wish.n !== wish.n && ['dead', undefined].includes(maker.records[0]?.state);
  });
  if (acceptance.refused !== 'REQUEST_INVALID' || !isHopeless) find('refused', wish, `refused (${acceptance.refused})`);
}

function judgeTold({ wish, told, isHanging, ends, records: [record] }: Answer, find: Find): void {
  if (ends > 1) find('told', wish, `its end was announced ${ends} times`);
  if (record === undefined) return;
  // A caller whose request is set aside is told at once; one whose request waits behind such a one waits with it.
  if (isHanging && record.state !== 'blocked') find('told', wish, `its caller waits, and it is ${record.state}`);
  if (told === null || told.state === 'held') return;
  if (told.state !== record.state || told.reason !== record.reason) {
    find('told', wish, `told ${told.state}/${told.reason}, and it is ${record.state}/${record.reason}`);
  }
}

/** Never twice; an absolute write may be repeated by itself, as long as nothing came in between. */
function judgeCount({ wish, records: [record] }: Answer, trace: Trace, find: Find): void {
  const changes = trace.changesOf(wish);
  const [first, last] = [changes[0], changes.at(-1)];
  const { flavour } = trace.history.scenario;
  if (first === undefined || last === undefined || changes.length === 1) return;
  const between = trace.changes.filter(
    ({ path, by, at }) => path === first.path && by !== wish.n && at > first.at && at < last.at,
  );
  const isRepeatable = record?.effect === 'absolute' || record?.effect === 'delete';
  const isForeign = between.every(({ by }) => by === null);
  if (isRepeatable && isForeign && flavour !== 'keyed') {
    if (trace.arrivalsOf(wish).some(({ guard }) => guard === null)) return;
    // Guarded by a version, it can only have met what others made of the thing since: it is made again on top of that.
    if (changes.length <= 1 + between.length) return;
    // A whole that sets no field, and at most leaves some out, cannot be told from what is there, as an API shows more than it is sent. It is
    // repeated on that: exactly once in effect, as an absolute write promises.
    if (wish.kind === 'replace' && setsNothing(first.before, first.after)) return;
  }
  find('duplicate', wish, `done ${changes.length} times`);
}

function setsNothing(before: Fields | null, after: Fields | null): boolean {
  return Object.entries(after ?? {}).every(([field, value]) => same(before?.[field], value));
}

/** What is made on a version is sent for a version, unless the thing is gone and is to be made anew. */
function judgeGuard({ wish }: Answer, trace: Trace, find: Find): void {
  if (wish.base === null || trace.history.scenario.flavour !== 'conditional') return;
  for (const { guard, at } of trace.arrivalsOf(wish)) {
    if (guard !== null) continue;
    const isGone = trace.foreignSince(wish).some((change) => change.after === null && change.at < at);
    if (!isGone) find('wrong', wish, 'sent for any version');
  }
}

/** Nothing moves by itself: what has not ended is held, or waits for what is. */
function judgeRest(trace: Trace, find: Find): void {
  const { stored } = trace;
  const waits = new Map<string, Report>();
  for (const { record } of stored) if (record.state === 'held') waits.set(record.id, record);
  // By order of acceptance: each waits for earlier ones only.
  for (const { wish, record } of stored) {
    if (record.state === 'blocked') {
      const isBehind = [...waits.values()].some(
        ({ id, lane, seq }) => record.after.includes(id) || (lane !== null && lane === record.lane && seq < record.seq),
      );
      if (isBehind) waits.set(record.id, record);
      else find('stuck', wish, `blocked (${record.reason}) behind nothing`);
    } else if (['ready', 'scheduled', 'sending', 'unknown'].includes(record.state)) {
      find('stuck', wish, `${record.state} (${record.reason}) after two days`);
    }
  }
}

function judgeOrder(trace: Trace, find: Find): void {
  const { stored } = trace;
  const lastOfLife = new Map<number, number>();
  for (const { wish, isAskedAgain } of stored) {
    if (isAskedAgain) continue;
    const before = lastOfLife.get(wish.life) ?? -1;
    if (wish.n < before) find('disordered', wish, `accepted after ${before}, which was asked for later`);
    lastOfLife.set(wish.life, Math.max(before, wish.n));
  }
  const seqs = new Map(stored.map(({ wish, record }) => [wish.n, record.seq]));
  const wishes = new Map(stored.map(({ wish }) => [wish.n, wish]));
  const latest = new Map<number, number>();
  for (const { by, what } of trace.history.log) {
    const wish = by === null ? undefined : wishes.get(by);
    if (wish === undefined || wish.thing === null || !wish.isInLane) continue;
    const seq = seqs.get(wish.n) ?? 0;
    const before = latest.get(wish.thing) ?? 0;
    // What comes late was sent in time.
    if (seq < before && what === 'arrival') find('disordered', wish, `sent after a later one of the same thing`);
    if (seq < before && what === 'change') find('disordered', wish, `done after a later one of the same thing`);
    latest.set(wish.thing, Math.max(before, seq));
  }
}

function judgeState(trace: Trace, find: Find): void {
  const { states, wrong } = new Model(trace).play();
  for (const { wish, says } of wrong) find('wrong', wish, says);
  for (const { wish } of trace.stored) {
    const path = trace.pathOf(wish.kind === 'act' ? null : wish.thing);
    for (const change of trace.changesOf(wish)) {
      if (path !== undefined && change.path !== path) find('wrong', wish, `done to ${change.path}, not ${path}`);
    }
  }
  const { server } = trace.history;
  for (const path of new Set([...states.keys(), ...server.keys()])) {
    if (sameFields(states.get(path), server.get(path))) continue;
    const [is, meant] = [server, states].map((one) => JSON.stringify(one.get(path)));
    find('state', null, `${path} is ${is}, and the model says ${meant}`);
  }
}
