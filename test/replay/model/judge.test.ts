import { describe, expect, it } from 'vitest';
import type { Answer, Fields, Happening, History, Report, Wish } from './history.ts';
import { judge } from './judge.ts';
import type { Flavour } from './scenario.ts';

const PATH = '/tickets/1';
const BEFORE: Fields = { title: 't', color: 'c', size: 's' };

function report(fields: Partial<Report> = {}): Report {
  return {
    id: 'r0',
    seq: 1,
    state: 'succeeded',
    reason: 'applied',
    effect: 'absolute',
    told: false,
    after: [],
    lane: 'one',
    firstSentAt: 1,
    ...fields,
  };
}

/** A change of the one thing there is, and what the queue says of it. */
function answer(wish: Partial<Wish> = {}, record: Partial<Report> | null = {}, fields: Partial<Answer> = {}): Answer {
  const n = wish.n ?? 0;
  return {
    wish: {
      n,
      kind: 'patch',
      thing: 0,
      refersTo: null,
      isInLane: true,
      fields: { title: `w${n}` },
      base: { fields: BEFORE, at: 0 },
      isAwaited: false,
      isBad: false,
      hasDeadline: false,
      life: 0,
      ...wish,
    },
    acceptance: 'accepted',
    records: record === null ? [] : [report({ id: `r${n}`, seq: n + 1, ...record })],
    told: null,
    isHanging: false,
    isAskedAgain: false,
    ends: 1,
    ...fields,
  };
}

function arrival(by: number | null, guard: string | null = null): Happening {
  return { what: 'arrival', by, call: '', guard, fault: 'none' };
}

function change(by: number | null, before: Fields | null, after: Fields | null, path = PATH): Happening {
  return { what: 'change', by, path, before, after };
}

/** A call that arrives and is done. */
function done(by: number, before: Fields | null, after: Fields | null, guard: string | null = null): Happening[] {
  return [arrival(by, guard), change(by, before, after)];
}

function history(
  answers: readonly Answer[],
  log: readonly Happening[],
  fields: Partial<History> & { flavour?: Flavour } = {},
): History {
  const { flavour = 'bare', ...rest } = fields;
  const server = new Map<string, Fields>([[PATH, BEFORE]]);
  for (const one of log) {
    if (one.what !== 'change') continue;
    if (one.after === null) server.delete(one.path);
    else server.set(one.path, one.after);
  }
  return {
    scenario: { flavour, onGone: 'drop', deleteWins: true, hasLocation: true },
    things: [{ n: 0, path: PATH, fields: BEFORE }],
    answers,
    log,
    server,
    crashes: 0,
    faults: 0,
    ...rest,
  };
}

function rules(of: History): string[] {
  return judge(of).map(({ rule, wish }) => (wish === null ? rule : `${rule} ${wish}`));
}

const ONE = { ...BEFORE, title: 'w0' };
const TWO = { ...BEFORE, title: 'w1' };
const POST = { kind: 'act', thing: null, isInLane: false, fields: { mark: 'w0' }, base: null } as const;
const MADE = { mark: 'w0' };

describe('the judge', () => {
  it('finds nothing in a run without a fault', () => {
    expect(rules(history([answer()], done(0, BEFORE, ONE)))).toEqual([]);
    const both = [answer(), answer({ n: 1 })];
    expect(rules(history(both, [...done(0, BEFORE, ONE), ...done(1, ONE, TWO)]))).toEqual([]);
    const other = { path: '/acts/501', what: 'change', by: 0, before: null, after: MADE } as const;
    expect(rules(history([answer(POST, { effect: 'action', lane: null })], [arrival(0), other]))).toEqual([]);
  });

  it('finds what was done twice', () => {
    const twice = [arrival(0), change(0, null, MADE, '/acts/501'), change(0, null, MADE, '/acts/502')];
    expect(rules(history([answer(POST, { effect: 'action' })], twice))).toContain('duplicate 0');
    expect(rules(history([answer(POST, { effect: 'action', state: 'held', reason: 'unknown' })], twice))).toContain(
      'duplicate 0',
    );
  });

  it('lets an absolute write be repeated by itself, where nothing knows it, and not after another one', () => {
    const again = [...done(0, BEFORE, ONE), ...done(0, ONE, ONE)];
    expect(rules(history([answer()], again))).toEqual([]);
    expect(rules(history([answer()], again, { flavour: 'keyed' }))).toEqual(['duplicate 0']);
    const between = [...done(0, BEFORE, ONE), ...done(1, ONE, TWO), ...done(0, TWO, ONE)];
    expect(rules(history([answer(), answer({ n: 1 })], between))).toEqual(
      expect.arrayContaining(['duplicate 0', 'disordered 0']),
    );
  });

  it('finds what was accepted and is not there, and what is there twice', () => {
    expect(rules(history([answer({}, null)], []))).toEqual(['lost 0']);
    expect(rules(history([answer({}, null, { acceptance: 'unheard' })], []))).toEqual([]);
    const record = report();
    expect(rules(history([answer({}, {}, { records: [record, record] })], done(0, BEFORE, ONE)))).toEqual([
      'doubled 0',
    ]);
  });

  it('finds what is reported as done and was not, and the other way round', () => {
    expect(rules(history([answer()], [arrival(0)]))).toEqual(['untrue 0']);
    for (const reason of ['exhausted', 'expired', 'rejected'] as const) {
      expect(rules(history([answer({ hasDeadline: true }, { state: 'dead', reason })], done(0, BEFORE, ONE)))).toEqual([
        'untrue 0',
      ]);
    }
    expect(rules(history([answer({}, { state: 'dead', reason: 'rejected' })], [arrival(0)]))).toEqual(['untrue 0']);
    expect(rules(history([answer({ isBad: true }, { state: 'dead', reason: 'rejected' })], [arrival(0)]))).toEqual([]);
  });

  it('lets what shows already what is meant be done', () => {
    const same = answer({ fields: { title: 't' } }, { reason: 'appliedEarlier' });
    expect(rules(history([same], [arrival(0)]))).toEqual([]);
    const whole = answer({ kind: 'replace', fields: { title: 't', color: 'c' } }, { reason: 'appliedEarlier' });
    expect(rules(history([whole], [arrival(0)]))).toEqual(['untrue 0']);
  });

  it('finds a wrong order, of calls as of acceptance', () => {
    const turned = [...done(1, BEFORE, TWO), ...done(0, TWO, ONE)];
    expect(rules(history([answer(), answer({ n: 1 })], turned))).toContain('disordered 0');
    const accepted = [answer({}, { seq: 2 }), answer({ n: 1 }, { seq: 1 })];
    expect(rules(history(accepted, turned))).toEqual(['disordered 0']);
  });

  it('finds what never came to rest', () => {
    for (const state of ['ready', 'scheduled', 'sending', 'unknown'] as const) {
      expect(rules(history([answer({}, { state })], []))).toEqual(['stuck 0']);
    }
    expect(rules(history([answer({}, { state: 'blocked', reason: 'lane' })], []))).toEqual(['stuck 0']);
    const behind = [
      answer({}, { state: 'held', reason: 'unknown' }),
      answer({ n: 1 }, { state: 'blocked', reason: 'lane' }),
    ];
    expect(rules(history(behind, [arrival(0)]))).toEqual([]);
  });

  it('finds what is held although the server agrees, and although nobody else did anything', () => {
    const held = { state: 'held', reason: 'conflict' } as const;
    const flavour = 'conditional';
    const theirs = { ...BEFORE, title: 'x' };
    expect(rules(history([answer({}, held)], [change(null, BEFORE, theirs), arrival(0, '"v1"')], { flavour }))).toEqual(
      [],
    );
    expect(rules(history([answer({}, held)], [arrival(0, '"v1"')], { flavour }))).toEqual(['falseHold 0']);
    const meant = [change(null, BEFORE, ONE), arrival(0, '"v1"')];
    expect(rules(history([answer({}, held)], meant, { flavour }))).toEqual(['falseHold 0']);
    const colored = [change(null, BEFORE, { ...BEFORE, color: 'x' }), arrival(0, '"v1"')];
    expect(rules(history([answer({}, held)], colored, { flavour }))).toEqual(['falseHold 0']);
    expect(rules(history([answer({}, { state: 'held', reason: 'dependency' })], []))).toEqual(['falseHold 0']);
  });

  it('finds a change of somebody else that was overwritten, and one that was lost', () => {
    const flavour = 'conditional';
    const theirs = { ...BEFORE, size: 'x' };
    const whole = answer({ kind: 'replace', fields: ONE });
    const lost = [change(null, BEFORE, theirs), ...done(0, theirs, ONE, '"v1"')];
    expect(rules(history([whole], lost, { flavour }))).toEqual(['wrong 0', 'state']);
    const kept = [change(null, BEFORE, theirs), ...done(0, theirs, { ...theirs, title: 'w0' }, '"v1"')];
    expect(rules(history([whole], kept, { flavour }))).toEqual([]);
    expect(rules(history([whole], done(0, BEFORE, ONE), { flavour }))).toEqual(['wrong 0']);
  });

  it('finds what was done otherwise than it was meant, and to another thing', () => {
    expect(rules(history([answer()], done(0, BEFORE, { title: 'w0' })))).toEqual(
      expect.arrayContaining(['wrong 0', 'state']),
    );
    const other = [arrival(0), change(0, null, { title: 'w0' }, '/tickets/2')];
    expect(rules(history([answer()], other))).toContain('wrong 0');
  });

  it('finds a state nobody brought about', () => {
    const server = new Map([[PATH, { ...ONE, color: 'other' }]]);
    expect(rules(history([answer()], done(0, BEFORE, ONE), { server }))).toEqual(['state']);
  });

  it('finds callers who wait for ever, or were told something else', () => {
    const log = done(0, BEFORE, ONE);
    expect(rules(history([answer({}, {}, { isHanging: true })], log))).toEqual(['told 0']);
    const told = { state: 'dead', reason: 'rejected' } as const;
    expect(rules(history([answer({}, {}, { told })], log))).toEqual(['told 0']);
    expect(rules(history([answer({}, {}, { ends: 2 })], log))).toEqual(['told 0']);
  });

  it('finds what was refused for no reason, or nevertheless stored', () => {
    const refused = { acceptance: { refused: 'REQUEST_INVALID' } };
    expect(rules(history([answer({}, null, refused)], []))).toEqual(['refused 0']);
    const made = { kind: 'create', thing: 1, base: null } as const;
    const hopeless = [
      answer({ ...made, isBad: true }, { state: 'dead', reason: 'rejected' }),
      answer({ n: 1, thing: 1 }, null, refused),
    ];
    const things = [{ n: 1, path: null, fields: null }];
    expect(rules(history(hopeless, [arrival(0)], { things, server: new Map() }))).toEqual([]);
    expect(rules(history([answer({}, {}, refused)], done(0, BEFORE, ONE)))).toContain('refused 0');
  });
});
