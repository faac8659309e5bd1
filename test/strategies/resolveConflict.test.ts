import { describe, expect, it } from 'vitest';
import type {
  Conflict,
  ConflictInput,
  ConflictRules,
  ConflictStrategy,
  Resolution,
} from '../../src/queue/strategies/conflict.ts';
import { conflictOf, MAX_ROUNDS } from '../../src/queue/strategies/conflict.ts';
import { resolveConflict } from '../../src/queue/strategies/resolveConflict.ts';
import type { Json } from '../../src/queue/types/request.ts';

const RESEND = { action: 'resend' };
const NOOP = { action: 'noop' };
const HOLD = { action: 'hold' };
const ACCEPT = { action: 'acceptRemote' };
const REJECT = { action: 'reject' };

function conflict(given: Partial<ConflictInput>): Conflict {
  const { method = 'PUT' } = given;
  return conflictOf({
    trigger: 'changed',
    method,
    effect: method === 'DELETE' ? 'delete' : 'absolute',
    base: null,
    local: null,
    remote: null,
    round: 1,
    ageMs: 0,
    ...given,
  });
}

/** `onConflict` decides over `base`, `local` and `remote`. */
function resolve(
  onConflict: ConflictStrategy | undefined,
  given: Partial<ConflictInput>,
  rules: Partial<ConflictRules> = {},
): Resolution {
  return resolveConflict(conflict(given), { onConflict, ...rules }).resolution;
}

const EVERY: readonly ConflictStrategy[] = [
  'server-wins',
  'client-wins',
  'merge',
  'manual',
  'fail',
  { merge: {} },
  { lww: 'at' },
  { reapply: () => ({ again: true }) },
  () => ({ action: 'resend', body: { mine: true } }),
];

function nested(depth: number): Json {
  let value: Json = 1;
  for (let left = depth; left > 0; left -= 1) value = [value];
  return value;
}

describe('conflictOf', () => {
  it.each<[method: string, base: Json, local: Json, remote: Json, changed: string[], remoteChanged: string[]]>([
    ['PUT', { a: 1, b: 2 }, { a: 1, b: 3 }, { a: 2, b: 2 }, ['b'], ['a']],
    ['PUT', null, { a: 1, b: null }, { a: 2 }, ['a', 'b'], []],
    ['PUT', 'v1', { a: 1 }, { a: 2 }, ['a'], []],
    ['PUT', { a: 0 }, { a: false }, { a: '' }, ['a'], ['a']],
    ['PUT', { a: null }, { a: 0 }, {}, ['a'], []],
    ['PUT', {}, { a: null }, { b: null }, [], []],
    ['PUT', { a: 1, id: 7 }, { a: 2 }, { a: 1, id: 7, at: 9 }, ['a'], ['at']],
    ['PATCH', { a: { x: 1, y: 2 } }, { a: { x: 1 } }, { a: { x: 1, y: 2 } }, ['a'], []],
    ['PATCH', { a: 1, b: 2 }, { a: 1, b: 3 }, { a: 1, b: 2 }, ['b'], []],
    ['PUT', { a: { x: 1, y: 2 } }, { a: { x: 1 } }, { a: { x: 1, y: 2 } }, ['a'], []],
    ['PATCH', { a: 1 }, { a: null }, { a: 1 }, ['a'], []],
    ['DELETE', { a: 1, b: 0 }, null, null, [], ['a', 'b']],
    ['PATCH', { a: 1 }, [{ op: 'remove', path: '/a' }], { a: 2 }, [], ['a']],
  ])('of a %s on %j that sends %j and meets %j', (method, base, local, remote, changed, remoteChanged) => {
    expect(conflict({ method, base, local, remote })).toMatchObject({ changed, remoteChanged });
  });

  it('knows fields by their own names only', () => {
    const base = JSON.parse('{"__proto__":{"a":1}}') as Json;
    const local = JSON.parse('{"__proto__":{"a":2},"toString":0}') as Json;
    expect(conflict({ base, local, remote: {} })).toMatchObject({
      changed: ['__proto__', 'toString'],
      remoteChanged: ['__proto__'],
    });
  });
});

describe('a change that the server shows', () => {
  it.each<[what: string, given: Partial<ConflictInput>]>([
    ['all fields', { local: { a: 1, b: 0 }, remote: { a: 1, b: 0, id: 7 } }],
    ['the changed fields', { base: { a: 0, b: 1 }, local: { a: 1, b: 1 }, remote: { a: 1, b: 2 } }],
    ['a field that was removed', { method: 'PATCH', base: { a: 1 }, local: { a: null }, remote: {} }],
    ['a part of a field', { method: 'PATCH', local: { a: { x: 1, y: null } }, remote: { a: { x: 1, z: 2 } } }],
    ['a removal by leaving out', { base: { a: 1, b: 2 }, local: { a: 1 }, remote: { a: 1 } }],
    ['a value that is no object', { local: [1, 2], remote: [1, 2] }],
    [
      'what was to be created',
      { trigger: 'exists', method: 'POST', effect: 'create', local: { a: 1 }, remote: { a: 1 } },
    ],
    ['nothing, as a DELETE meant', { trigger: 'gone', method: 'DELETE' }],
    ['a PATCH that means nothing', { method: 'PATCH', local: {}, remote: { a: 1 } }],
    ['a PATCH of plain JSON', { method: 'PATCH', effect: 'action', local: { a: 1 }, remote: { a: 1 } }],
  ])('needs no strategy: %s', (_, given) => {
    for (const strategy of [undefined, ...EVERY]) expect(resolve(strategy, given)).toEqual(NOOP);
  });

  it.each<[what: string, given: Partial<ConflictInput>]>([
    ['a falsy value for another', { local: { a: 0 }, remote: { a: false } }],
    ['an object for a part of it', { local: { a: { x: 1 } }, remote: { a: { x: 1, y: 2 } } }],
    ['a relative change', { method: 'PATCH', effect: 'relative', local: { add: 1 }, remote: { add: 1 } }],
    ['an action', { method: 'POST', effect: 'action', local: { state: 'open' }, remote: { state: 'open' } }],
    ['nothing there', { trigger: 'gone', local: { a: null }, remote: null }],
    ['no body', { local: null, remote: null }],
    ['what a PUT leaves out', { base: { a: 1, b: 2 }, local: { a: 1 }, remote: { a: 1, b: 2, c: 3 } }],
    ['a PUT of nothing', { local: {}, remote: { a: 1 } }],
    ['operations', { method: 'PATCH', effect: 'action', local: [], remote: [] }],
    ['a thing that cannot be read, for a DELETE', { method: 'DELETE', remote: null }],
  ])('is not %s', (_, given) => {
    expect(resolve('fail', given)).toEqual(REJECT);
  });

  it('may be shown in another form', () => {
    const equals = (_: string, local: Json, remote: Json) => String(local).trim() === remote;
    expect(resolve('manual', { local: { a: ' x ' }, remote: { a: 'x' } }, { equals })).toEqual(NOOP);
    expect(resolve('manual', { local: { a: ' y ' }, remote: { a: 'x' } }, { equals })).toEqual(HOLD);
  });
});

describe('without a strategy', () => {
  it('what has a base is merged, and a person decides about other things', () => {
    const local = { a: 1, b: 0 };
    expect(resolve(undefined, { base: { a: 0, b: 0 }, local, remote: { a: 0, b: 1 } })).toEqual({
      action: 'resend',
      body: { a: 1, b: 1 },
    });
    expect(resolve(undefined, { local, remote: { a: 0, b: 1 } })).toEqual(HOLD);
    expect(resolve(undefined, { base: 'v1', local, remote: { a: 0, b: 1 } })).toEqual(HOLD);
  });
});

describe('a merge', () => {
  const [both, mine, theirs] = [
    { a: 1, b: 1, c: 1 },
    { a: 2, b: 1, c: 1 },
    { a: 1, b: 2, c: 1 },
  ];

  it.each<[what: string, method: string, base: Json, local: Json, remote: Json, resolution: object]>([
    ['sends a PUT with what the server changed', 'PUT', both, mine, theirs, { ...RESEND, body: { a: 2, b: 2, c: 1 } }],
    ['sends a PATCH without it', 'PATCH', both, mine, theirs, { ...RESEND, body: { a: 2 } }],
    ['sends what was sent where nothing is to be added', 'PUT', both, mine, { ...both, a: 1 }, RESEND],
    ['holds what both changed', 'PUT', both, mine, { ...both, a: 3 }, HOLD],
    ['takes what both made equal', 'PUT', both, { a: 2, b: 3, c: 1 }, { a: 2, b: 1, c: 1 }, RESEND],
    [
      'sends only what is still to be set',
      'PATCH',
      both,
      { a: 2, b: 3 },
      { ...both, a: 2 },
      { ...RESEND, body: { b: 3 } },
    ],
    ['takes over what the server removed', 'PUT', both, mine, { a: 1, b: 1 }, { ...RESEND, body: { a: 2, b: 1 } }],
    ['takes over what the server added', 'PUT', both, mine, { ...both, d: 0 }, { ...RESEND, body: { ...mine, d: 0 } }],
    [
      'keeps falsy values',
      'PUT',
      { a: 1, b: 1 },
      { a: 0, b: 1 },
      { a: 1, b: '' },
      { ...RESEND, body: { a: 0, b: '' } },
    ],
    ['removes by null', 'PATCH', both, { a: null }, theirs, RESEND],
    ['holds a removal of what the server changed', 'PATCH', both, { b: null }, theirs, HOLD],
    ['holds a PATCH to what was there already where the server changed that', 'PATCH', both, { b: 1 }, theirs, HOLD],
    ['finds a PATCH to what was there already done where it still is', 'PATCH', both, { a: 1 }, theirs, NOOP],
    [
      'sends a PATCH to what was there already in what it changes alone',
      'PATCH',
      both,
      { a: 2, b: 1 },
      theirs,
      { ...RESEND, body: { a: 2 } },
    ],
    [
      'puts in what a PUT leaves out and the server changed',
      'PUT',
      both,
      { a: 2 },
      theirs,
      { ...RESEND, body: { a: 2, b: 2 } },
    ],
    [
      'sends a PUT that can only mean to remove',
      'PUT',
      both,
      { a: 1, b: 1 },
      { ...both, d: 1 },
      { ...RESEND, body: { a: 1, b: 1, d: 1 } },
    ],
    ['needs objects', 'PUT', { a: 1 }, [1], { a: 2 }, HOLD],
    ['needs an object of the server', 'PUT', { a: 1 }, { a: 2 }, 'x', HOLD],
    ['needs fields, not operations', 'PATCH', { a: 1 }, [{ op: 'add', path: '/a', value: 1 }], { a: 2 }, HOLD],
    ['needs a body that says what is to be', 'POST', { a: 1 }, { b: 1 }, { a: 2 }, HOLD],
  ])('%s', (_, method, base, local, remote, resolution) => {
    expect(resolve('merge', { method, base, local, remote })).toEqual(resolution);
  });

  it('of names that objects inherit takes only what is there', () => {
    const local = JSON.parse('{"a":2,"__proto__":{"x":1}}') as Json;
    const remote = JSON.parse('{"a":1,"constructor":{"y":1}}') as Json;
    const resolution = resolve('merge', { base: { a: 1 }, local, remote });
    const body = resolution.action === 'resend' ? resolution.body : undefined;
    expect(JSON.stringify(body)).toBe('{"a":2,"__proto__":{"x":1},"constructor":{"y":1}}');
    expect(resolve({ merge: { fields: {} } }, { base: {}, local: { toString: 1 }, remote: { toString: 2 } })).toEqual(
      HOLD,
    );
  });

  describe('with rules for fields', () => {
    const base = { n: 1, m: 1 };
    const given = { base, local: { n: 2, m: 1 }, remote: { n: 4, m: 5 } };

    it.each<[rule: string, field: 'local' | 'remote' | (() => Json | undefined), resolution: object]>([
      ['local', 'local', { ...RESEND, body: { n: 2, m: 5 } }],
      ['remote', 'remote', ACCEPT],
      ['a third value', () => 0, { ...RESEND, body: { n: 0, m: 5 } }],
      ['the value of the server', () => 4, ACCEPT],
      ['undefined', () => undefined, HOLD],
    ])('takes %s', (_, field, resolution) => {
      expect(resolve({ merge: { fields: { n: field } } }, given)).toEqual(resolution);
    });

    it('sends what gave way as the server has it', () => {
      const merge = { fields: { n: 'remote', gone: 'remote' } } as const;
      const sides = { base: { n: 1, m: 1, gone: 1 }, local: { n: 2, m: 2, gone: 2 }, remote: { n: 4, m: 1 } };
      expect(resolve({ merge }, sides)).toEqual({ ...RESEND, body: { n: 4, m: 2 } });
    });

    it('gives a resolver what each side has', () => {
      let seen: unknown;
      const fields = {
        n: (of: unknown) => {
          seen = of;
          return 3;
        },
      };
      const patch = {
        ...given,
        method: 'PATCH',
        local: { n: { x: 1 } },
        remote: { n: { y: 3 } },
        base: { n: { y: 2 } },
      };
      expect(resolve({ merge: { fields } }, patch)).toEqual({ ...RESEND, body: { n: 3 } });
      expect(seen).toEqual({ field: 'n', base: { y: 2 }, local: { y: 2, x: 1 }, remote: { y: 3 } });
    });

    it('sends a merge patch that leaves an object as it was resolved', () => {
      const patch = { method: 'PATCH', base: { n: { y: 2 } }, local: { n: { x: 1 } }, remote: { n: { y: 3, z: 4 } } };
      const fields = { n: () => ({ x: 1, y: 3 }) };
      expect(resolve({ merge: { fields } }, patch)).toEqual({ ...RESEND, body: { n: { x: 1, z: null } } });
    });

    it('sends what a resolver took from here as a whole, and not just the part that was sent', () => {
      const patch = { method: 'PATCH', base: { n: { y: 2 } }, local: { n: { x: 1 } }, remote: { n: { y: 3 } } };
      const fields = { n: ({ local }: { readonly local: Json }) => local };
      expect(resolve({ merge: { fields } }, patch)).toEqual({ ...RESEND, body: { n: { y: 2, x: 1 } } });
    });

    it('leaves out of a PUT what is to be left out', () => {
      const left = { base: { a: 1, at: 1 }, local: { a: 2 }, remote: { a: 1, at: 9 } };
      expect(resolve({ merge: { fields: { at: 'local' } } }, left)).toEqual(RESEND);
    });

    it.each<[what: string, value: () => unknown]>([
      ['a promise', () => Promise.reject(new Error('too late'))],
      ['a date', () => new Date(0)],
      ['NaN', () => NaN],
    ])('holds where it is %s', (_, value) => {
      const fields = { n: value as () => Json };
      const { resolution, error, strategy } = resolveConflict(conflict(given), { onConflict: { merge: { fields } } });
      expect({ resolution, strategy }).toEqual({ resolution: HOLD, strategy: 'merge' });
      expect(error).toBeInstanceOf(TypeError);
    });
  });

  describe('of sets', () => {
    const strategy: ConflictStrategy = { merge: { arraysAsSets: ['tags'] } };

    it.each<[what: string, base: Json, local: Json, remote: Json, resolution: object]>([
      ['keeps what either side added', ['a'], ['a', 'b'], ['c', 'a'], { ...RESEND, body: { tags: ['c', 'a', 'b'] } }],
      [
        'removes what either side removed',
        ['a', 'b', 'c'],
        ['b', 'c'],
        ['a', 'b'],
        { ...RESEND, body: { tags: ['b'] } },
      ],
      ['sees no change in another order', ['a', 'b'], ['b', 'a'], ['a', 'c', 'b'], NOOP],
      ['sends what the server only reordered', ['a', 'b'], ['a'], ['b', 'a', 'b'], RESEND],
      ['finds what both added', ['a'], ['a', 'b'], ['b', 'a'], NOOP],
      ['starts from nothing', null, ['a'], ['b'], { ...RESEND, body: { tags: ['b', 'a'] } }],
      ['tells objects apart by what they hold', [], [{ x: 1, y: 2 }], [{ y: 2, x: 1 }], NOOP],
      ['holds what is no set', ['a'], 'b', ['c'], HOLD],
      ['holds what is too deep to be told apart', ['a'], ['a', nested(300)], ['b', nested(301)], HOLD],
    ])('%s', (_, base, local, remote, resolution) => {
      const sides = { base: { tags: base }, local: { tags: local }, remote: { tags: remote } };
      expect(resolve(strategy, sides)).toEqual(resolution);
    });

    it('neither sends nor asks about another order', () => {
      const reordered = { base: { tags: [1, 2], n: 1 }, local: { tags: [2, 1], n: 1 }, remote: { tags: [1, 2], n: 2 } };
      expect(resolve(strategy, reordered)).toEqual(NOOP);
      const asked = { merge: { arraysAsSets: ['tags'], fields: { tags: () => undefined } } };
      const both = { base: { tags: [] }, local: { tags: [2, 1] }, remote: { tags: [1, 2] } };
      expect(resolve(asked, both)).toEqual(NOOP);
    });
  });
});

describe('the other strategies', () => {
  const base = { a: 1, b: 1 };
  const [local, remote] = [
    { a: 2, b: 1 },
    { a: 3, b: 2 },
  ];

  it.each<[name: string, strategy: ConflictStrategy, put: object, patch: object]>([
    ['server-wins', 'server-wins', ACCEPT, ACCEPT],
    ['client-wins', 'client-wins', RESEND, { ...RESEND, body: { a: 2 } }],
    ['manual', 'manual', HOLD, HOLD],
    ['fail', 'fail', REJECT, REJECT],
    [
      'reapply',
      { reapply: (state) => ({ on: state }) },
      { ...RESEND, body: { on: remote } },
      { ...RESEND, body: { on: remote } },
    ],
    ['reapply', { reapply: () => undefined }, HOLD, HOLD],
    ['custom', () => ({ action: 'acceptRemote' }), ACCEPT, ACCEPT],
    ['custom', (of) => ({ action: 'resend', body: of.local }), { ...RESEND, body: local }, { ...RESEND, body: local }],
  ])('%s decides', (name, onConflict, put, patch) => {
    for (const [method, resolution] of [['PUT', put] as const, ['PATCH', patch] as const]) {
      const given = conflict({ method, base, local, remote });
      expect(resolveConflict(given, { onConflict })).toEqual({ resolution, strategy: name });
    }
  });

  it.each<[local: Json, remote: Json, resolution: object]>([
    [{ a: 2, at: 5 }, { a: 3, at: 4 }, RESEND],
    [{ a: 2, at: 4 }, { a: 3, at: 5 }, ACCEPT],
    [{ a: 2, at: 4 }, { a: 3, at: 4 }, HOLD],
    [{ a: 2 }, { a: 3, at: 4 }, HOLD],
    [{ a: 2, at: '2024-05-01T10:00:00Z' }, { a: 3, at: '2024-05-01T09:59:59.999Z' }, RESEND],
    [{ a: 2, at: '2024-05-01T10:00:00Z' }, { a: 3, at: 4 }, HOLD],
    [[1], { at: 1 }, HOLD],
  ])('lww lets %j and %j go by their timestamps', (mine, theirs, resolution) => {
    expect(resolve({ lww: 'at' }, { local: mine, remote: theirs })).toEqual(resolution);
    expect(resolve({ lww: '/at' }, { local: mine, remote: theirs })).toEqual(resolution);
  });

  it('go by the timestamp of an object only', () => {
    expect(resolve({ lww: '/0' }, { local: [5], remote: [4] })).toEqual(HOLD);
  });

  it('send a patch again as it is where all of it is a change', () => {
    expect(resolve('client-wins', { method: 'PATCH', base, local: { a: 2, b: 0 }, remote })).toEqual(RESEND);
  });

  it('let a patch of operations through only where they say so', () => {
    const given = { method: 'PATCH', effect: 'action', base, local: [{ op: 'remove', path: '/a' }], remote } as const;
    const expected = [ACCEPT, RESEND, HOLD, HOLD, REJECT, HOLD, HOLD];
    for (const [index, resolution] of expected.entries()) expect(resolve(EVERY[index], given)).toEqual(resolution);
    expect(resolve({ reapply: () => [] }, given)).toEqual({ ...RESEND, body: [] });
    expect(resolve(() => NOOP as Resolution, given)).toEqual(NOOP);
  });

  it('send a relative change again only as a function computed it anew', () => {
    const given = { method: 'PATCH', effect: 'relative', base, local: { add: 1 }, remote } as const;
    for (const strategy of ['client-wins', 'merge', 'manual', { merge: {} }, { lww: 'add' }] as const) {
      expect(resolve(strategy, given)).toEqual(HOLD);
    }
    expect(resolve('server-wins', given)).toEqual(ACCEPT);
    expect(resolve('fail', given)).toEqual(REJECT);
    expect(resolve({ reapply: () => ({ add: 1 }) }, given)).toEqual({ ...RESEND, body: { add: 1 } });
    expect(resolve(() => RESEND as Resolution, given)).toEqual(RESEND);
  });

  it('do not create again what exists', () => {
    const given = { trigger: 'exists', method: 'POST', effect: 'create', local, remote } as const;
    expect(resolve('client-wins', given)).toEqual(HOLD);
    expect(resolve('merge', given)).toEqual(HOLD);
    expect(resolve('server-wins', given)).toEqual(ACCEPT);
    expect(resolve('client-wins', { ...given, method: 'PUT' })).toEqual(RESEND);
  });
});

describe('a function that decides', () => {
  it.each<[what: string, strategy: () => unknown]>([
    [
      'throws',
      () => {
        throw new TypeError('mine');
      },
    ],
    ['answers later', async () => ({ action: 'noop' })],
    ['rejects later', async () => Promise.reject(new Error('too late'))],
    ['answers nothing', () => undefined],
    ['answers null', () => null],
    ['answers a name', () => 'hold'],
    ['answers something else', () => ({ action: 'toString' })],
    ['sends what is not JSON', () => ({ action: 'resend', body: new Map() })],
  ])('and %s leaves it to a person', (_, strategy) => {
    const given = conflict({ local: { a: 1 }, remote: { a: 2 } });
    const result = resolveConflict(given, { onConflict: strategy as () => Resolution });
    expect(result).toMatchObject({ resolution: HOLD, strategy: 'custom' });
    expect(result.error).toBeInstanceOf(TypeError);
  });

  it('may be the one that reapplies or compares', () => {
    const given = conflict({ local: { a: 1 }, remote: { a: 2 } });
    const fails = (): never => {
      throw new Error('mine');
    };
    expect(resolveConflict(given, { onConflict: { reapply: fails } })).toMatchObject({
      resolution: HOLD,
      strategy: 'reapply',
      error: { message: 'mine' },
    });
    expect(resolveConflict(given, { onConflict: 'server-wins', equals: fails })).toMatchObject({ resolution: HOLD });
  });
});

describe('a change of what is gone', () => {
  const gone = { trigger: 'gone', base: { a: 1 }, local: { a: 2 }, remote: null } as const;

  it.each<[onGone: ConflictRules['onGone'], put: object, patch: object]>([
    [undefined, HOLD, HOLD],
    ['hold', HOLD, HOLD],
    ['drop', ACCEPT, ACCEPT],
    ['recreate', RESEND, HOLD],
  ])('goes by onGone %s', (onGone, put, patch) => {
    for (const strategy of ['merge', 'server-wins', 'client-wins', 'manual', { reapply: () => ({}) }] as const) {
      expect(resolve(strategy, gone, { onGone })).toEqual(put);
      expect(resolve(strategy, { ...gone, method: 'PATCH' }, { onGone })).toEqual(patch);
    }
    expect(resolve('fail', gone, { onGone })).toEqual(REJECT);
  });

  it('is left to a function where nothing else was said', () => {
    const strategy = ({ trigger }: Conflict): Resolution => ({ action: trigger === 'gone' ? 'reject' : 'hold' });
    expect(resolve(strategy, gone)).toEqual(REJECT);
    expect(resolve(strategy, gone, { onGone: 'drop' })).toEqual(ACCEPT);
  });
});

describe('a DELETE of what was changed', () => {
  const given = { method: 'DELETE', base: { a: 1 }, remote: { a: 2 } } as const;

  it('is held, unless one side wins', () => {
    for (const strategy of [undefined, 'merge', 'manual', { lww: 'a' }, { reapply: () => 1 }] as const) {
      expect(resolve(strategy, given)).toEqual(HOLD);
      expect(resolve(strategy, { ...given, base: null })).toEqual(HOLD);
      expect(resolve(strategy, given, { deleteWins: true })).toEqual(RESEND);
    }
    expect(resolve('client-wins', given)).toEqual(RESEND);
    expect(resolve('server-wins', given)).toEqual(ACCEPT);
    expect(resolve('fail', given, { deleteWins: true })).toEqual(REJECT);
    expect(resolve(() => NOOP as Resolution, given)).toEqual(NOOP);
  });

  it('goes through where nothing was changed', () => {
    expect(resolve('manual', { ...given, remote: { a: 1 } })).toEqual(RESEND);
  });
});

describe('a precondition that is required', () => {
  it('is added without a decision where the server has the base still', () => {
    const required = { trigger: 'required', base: { a: 1 }, local: { a: 2 } } as const;
    expect(resolve('manual', { ...required, remote: { a: 1 } })).toEqual(RESEND);
    expect(resolve('manual', { ...required, remote: { a: 1, b: 1 } })).toEqual(HOLD);
    expect(resolve('manual', { ...required, base: null, remote: { a: 1 } })).toEqual(HOLD);
    expect(resolve('fail', { ...required, remote: { a: 1 } })).toEqual(REJECT);
  });
});

describe('the rounds of a request', () => {
  it('end with a person', () => {
    const given = { local: { a: 1 }, remote: { a: 2 } };
    expect(resolve('client-wins', { ...given, round: MAX_ROUNDS })).toEqual(RESEND);
    expect(resolve('client-wins', { ...given, round: MAX_ROUNDS + 1 })).toEqual(HOLD);
    expect(resolve('fail', { ...given, round: MAX_ROUNDS + 1 })).toEqual(REJECT);
  });
});
