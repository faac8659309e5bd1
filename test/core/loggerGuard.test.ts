import { describe, expect, it } from 'vitest';
import type { Logger } from '../../src/queue/types/logger.ts';
import { at, world } from './harness.ts';
import { expectNoPermitsHeld } from './support/queues.ts';

const post = { method: 'POST', url: at('/notes'), body: 'x' };

function brokenLogger(how: () => unknown): Logger {
  const log = how as () => void; // an application's logger may well return something
  return { debug: log, info: log, warn: log, error: log };
}

const BROKEN: readonly (readonly [string, Logger])[] = [
  [
    'throws',
    brokenLogger(() => {
      throw new Error('the logger is broken');
    }),
  ],
  ['rejects', brokenLogger(() => Promise.reject(new Error('the logger is broken')))],
];

describe('a logger that fails', () => {
  it.each(BROKEN)('by what it %s takes no call along', async (_, logger) => {
    const test = await world({ logger });
    const names = ['request:accepted', 'request:dispatched', 'request:settled'] as const;
    for (const name of names) {
      test.queue.on(name, () => {
        throw new Error('the listener is broken');
      });
    }
    let settled = 0;
    test.queue.on('request:settled', () => {
      settled += 1;
    });
    const handles = Array.from({ length: 3 }, () => test.queue.call(post));
    const results = Promise.all(handles.map((handle) => handle.settled()));
    const accepted = Promise.all(handles.map((handle) => handle.accepted()));
    await test.clock.settle();
    expect((await accepted).length).toBe(3);
    expect((await results).map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    expect(settled).toBe(3);
    expect(test.server.ledger.applied('/notes')).toBe(3);
    await expectNoPermitsHeld(test.queue);
  });
});
