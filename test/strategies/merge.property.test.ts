import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Conflict, ConflictStrategy, Resolution } from '../../src/queue/strategies/conflict.ts';
import { conflictOf } from '../../src/queue/strategies/conflict.ts';
import { deepEqual, equalAsSets } from '../../src/queue/strategies/deepEqual.ts';
import type { JsonObject } from '../../src/queue/strategies/jsonValue.ts';
import { fieldOf, isJsonObject } from '../../src/queue/strategies/jsonValue.ts';
import { applyMergePatch } from '../../src/queue/strategies/mergePatch.ts';
import { resolveConflict } from '../../src/queue/strategies/resolveConflict.ts';
import type { Json } from '../../src/queue/types/request.ts';
import { anyObject } from './support/json.ts';

const methods = fc.constantFrom('PUT', 'PATCH');
const sides = fc.record({ method: methods, base: anyObject, local: anyObject, remote: anyObject });
/** Changes of the same thing, as they are met: most fields are as they were. */
const edits = fc
  .record({
    method: methods,
    base: anyObject,
    mine: anyObject,
    theirs: anyObject,
    takes: fc.integer({ min: 0, max: 63 }),
  })
  .map(({ method, base, mine, theirs, takes }) => ({
    method,
    base,
    local: method === 'PUT' ? some({ ...base }, mine, takes) : mine,
    remote: some({ ...base }, theirs, ~takes),
  }));
const either = fc.oneof(sides, edits);

type Sides = {
  readonly method: string;
  readonly base: JsonObject;
  readonly local: JsonObject;
  readonly remote: JsonObject;
};

/** `base` with those fields of `change` that the bits of `takes` name. */
function some(base: JsonObject, change: JsonObject, takes: number): JsonObject {
  const taken = Object.entries(change).filter((_, index) => (takes >> index) % 2 !== 0);
  return Object.fromEntries([...Object.entries(base), ...taken]);
}

function conflict(given: Sides): Conflict {
  return conflictOf({ trigger: 'changed', effect: 'absolute', round: 1, ageMs: 0, ...given });
}

function merge(given: Sides, onConflict: ConflictStrategy = 'merge'): Resolution {
  const { resolution, error } = resolveConflict(conflict(given), { onConflict });
  expect(error).toBe(undefined);
  return resolution;
}

/** What the server has in the end; undefined where a person has to decide. */
function outcome({ method, local, remote }: Sides, resolution: Resolution): JsonObject | undefined {
  if (resolution.action === 'noop' || resolution.action === 'acceptRemote') return remote;
  if (resolution.action !== 'resend') return undefined;
  const body = resolution.body ?? local;
  const result = method === 'PUT' ? body : applyMergePatch(remote, body);
  return isJsonObject(result) ? result : undefined;
}

/** What a side made of a field. */
function meant({ method, base, local }: Sides, field: string): Json {
  const sent = fieldOf(local, field);
  return method === 'PATCH' ? applyMergePatch(fieldOf(base, field), sent) : sent;
}

describe('the merge of any two changes', () => {
  it('loses neither side where they are of different fields', () => {
    let merged = 0;
    const law = (given: Sides): void => {
      const { changed, remoteChanged } = conflict(given);
      fc.pre(!changed.some((field) => remoteChanged.includes(field)));
      const result = outcome(given, merge(given));
      expect(result).toBeDefined();
      if (result === undefined) return;
      if (changed.length > 0 && remoteChanged.length > 0) merged += 1;
      for (const field of changed) expect(deepEqual(fieldOf(result, field), meant(given, field))).toBe(true);
      for (const field of remoteChanged) {
        expect(deepEqual(fieldOf(result, field), fieldOf(given.remote, field))).toBe(true);
      }
    };
    fc.assert(fc.property(either, law), { numRuns: 500 });
    expect(merged).toBeGreaterThan(10);
  });

  it('holds exactly what both changed to different values', () => {
    fc.assert(
      fc.property(either, (given) => {
        const { changed, remoteChanged } = conflict(given);
        const isTorn = changed.some((field) => {
          if (!remoteChanged.includes(field)) return false;
          const now = fieldOf(given.remote, field);
          const sent = fieldOf(given.local, field);
          return !deepEqual(given.method === 'PATCH' ? applyMergePatch(now, sent) : sent, now);
        });
        expect(merge(given).action === 'hold').toBe(isTorn);
      }),
      { numRuns: 500 },
    );
  });

  it('sends the change as it was where the server changed nothing', () => {
    fc.assert(
      fc.property(either, ({ method, base, local }) => {
        const given = { method, base, local, remote: base };
        const { changed } = conflict(given);
        const resolution = merge(given);
        if (resolution.action === 'noop') {
          const after = method === 'PUT' ? base : (applyMergePatch(base, local) as JsonObject); // of two objects
          const isSame = (field: string): boolean => deepEqual(fieldOf(after, field), fieldOf(base, field));
          expect(method === 'PUT' ? changed : Object.keys(local).filter((field) => !isSame(field))).toEqual([]);
          return;
        }
        const sent =
          method === 'PUT' ? local : Object.fromEntries(changed.map((field) => [field, fieldOf(local, field)]));
        expect(resolution.action).toBe('resend');
        expect(resolution.action === 'resend' && deepEqual(resolution.body ?? local, sent)).toBe(true);
      }),
    );
  });

  it('comes to the same when its own result is merged again', () => {
    fc.assert(
      fc.property(either, (given) => {
        // What a PUT leaves out is a change only where it changes nothing else.
        fc.pre(given.method === 'PATCH' || Object.keys(given.base).every((field) => Object.hasOwn(given.local, field)));
        const first = merge(given);
        if (first.action !== 'resend' || !isJsonObject(first.body)) return;
        const again = { ...given, local: first.body };
        const [before, after] = [outcome(given, first), outcome(again, merge(again))];
        expect(before !== undefined && after !== undefined && deepEqual(before, after)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('has no field that neither side has', () => {
    fc.assert(
      fc.property(either, (given) => {
        const result = outcome(given, merge(given)) ?? {};
        for (const field of Object.keys(result)) {
          expect(Object.hasOwn(given.local, field) || Object.hasOwn(given.remote, field)).toBe(true);
        }
      }),
    );
  });

  it('never loses both sides of a field that one of them is to win', () => {
    const winners = fc.constantFrom('local' as const, 'remote' as const);
    fc.assert(
      fc.property(either, winners, (given, winner) => {
        const { changed, remoteChanged } = conflict(given);
        const fields = Object.fromEntries(changed.map((field) => [field, winner]));
        const result = outcome(given, merge(given, { merge: { fields } }));
        expect(result).toBeDefined();
        if (result === undefined || given.method === 'PATCH') return;
        for (const field of changed.filter((name) => remoteChanged.includes(name))) {
          const side = winner === 'local' ? meant(given, field) : fieldOf(given.remote, field);
          expect(deepEqual(fieldOf(result, field), side)).toBe(true);
        }
      }),
    );
  });
});

describe('the merge of any two sets', () => {
  const tags = fc.array(fc.constantFrom<Json[]>(0, false, '', null, 'a', 'b'), { maxLength: 5 });

  it('has what either added and not what either removed', () => {
    fc.assert(
      fc.property(tags, tags, tags, (base, local, remote) => {
        const given = { method: 'PUT', base: { tags: base }, local: { tags: local }, remote: { tags: remote } };
        const result = outcome(given, merge(given, { merge: { arraysAsSets: ['tags'] } }));
        const expected = [...remote.filter((tag) => !base.includes(tag) || local.includes(tag))];
        expected.push(...local.filter((tag) => !base.includes(tag)));
        expect(result !== undefined && equalAsSets(fieldOf(result, 'tags'), expected)).toBe(true);
      }),
    );
  });
});
