import { describe, expect, it } from 'vitest';
import { inferEffect, isConditional, isHarmless } from '../../src/queue/strategies/effect.ts';
import type { HeaderList } from '../../src/queue/types/request.ts';

describe('inferEffect', () => {
  it.each([
    ['GET', undefined, false, 'read'],
    ['head', undefined, false, 'read'],
    ['OPTIONS', undefined, false, 'read'],
    ['QUERY', 'application/json', false, 'read'],
    ['PUT', undefined, false, 'absolute'],
    ['put', undefined, true, 'absolute'],
    ['DELETE', undefined, false, 'delete'],
    ['PATCH', 'application/merge-patch+json', false, 'absolute'],
    ['patch', 'Application/Merge-Patch+JSON; charset=utf-8', false, 'absolute'],
    ['PATCH', 'application/json', false, 'action'],
    ['PATCH', 'application/json-patch+json', false, 'action'],
    ['PATCH', undefined, true, 'action'],
    ['POST', undefined, false, 'action'],
    ['POST', undefined, true, 'create'],
    ['PROPFIND', undefined, false, 'action'],
  ] as const)('says that %s of %s (entity declared: %s) is %s', (method, type, declared, effect) => {
    const headers: HeaderList = type === undefined ? [] : [['Content-Type', type]];
    expect(inferEffect({ method, headers }, declared)).toBe(effect);
  });
});

describe('isHarmless', () => {
  it.each([
    ['read', true],
    ['absolute', true],
    ['delete', true],
    ['create', false],
    ['action', false],
    ['relative', false],
  ] as const)('lets a %s without precondition be resent: %s', (effect, harmless) => {
    expect(isHarmless(effect, false)).toBe(harmless);
    expect(isHarmless(effect, true)).toBe(true);
  });
});

describe('isConditional', () => {
  it.each([
    [[['If-Match', '"1"']], true],
    [[['if-unmodified-since', 'Wed, 21 Oct 2015 07:28:00 GMT']], true],
    [[['if-none-match', ' * ']], true],
    [[['if-none-match', '"1"']], false],
    [[['if-modified-since', 'x']], false],
    [[], false],
  ] as const)('says of %j: %s', (headers, conditional) => {
    expect(isConditional(headers as HeaderList)).toBe(conditional);
  });
});
