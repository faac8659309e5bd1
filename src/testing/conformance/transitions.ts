import assert from 'node:assert/strict';
import type { Reason, RequestState } from '../../queue/types/states.ts';
import { canMove, isTerminal, REQUEST_STATES } from '../../queue/types/states.ts';
import { group } from './group.ts';
import type { Held, Trial } from './Trial.ts';

const REASON: Readonly<Record<RequestState, Reason>> = {
  ready: 'released',
  scheduled: 'retry',
  blocked: 'lane',
  sending: 'accepted',
  unknown: 'unanswered',
  held: 'operator',
  succeeded: 'applied',
  dead: 'discarded',
  cancelled: 'caller',
  superseded: 'squashed',
};

/** Brings a new request into a state by the verbs that lead there. */
async function bring(t: Trial, state: RequestState): Promise<Held> {
  if (state === 'scheduled') return { id: (await t.accept({ notBefore: t.now + 1000 })).id, token: 0 };
  if (state === 'blocked')
    return { id: (await t.accept({ after: [(await t.accept({ channel: 'before' })).id] })).id, token: 0 };
  if (state === 'ready') return { id: (await t.accept()).id, token: 0 };
  if (state === 'cancelled' || state === 'superseded' || state === 'held') {
    const { id } = await t.accept();
    await t.move(id, { state, reason: REASON[state] });
    return { id, token: 0 };
  }
  const held = await t.take();
  if (state !== 'sending') await t.settle(held, { state, reason: REASON[state] });
  return held;
}

/** Where a request lands that was told to go to `to`: waiting states are "as far as it can get". */
function landing(from: RequestState, to: RequestState): RequestState {
  if (to !== 'ready' && to !== 'scheduled' && to !== 'blocked') return to;
  if (from === 'blocked') return 'blocked';
  return to === 'scheduled' || from === 'scheduled' ? 'scheduled' : 'ready';
}

export const transitionGroup = group('transitions', (test) => {
  for (const from of REQUEST_STATES) {
    test(`amend moves a ${from} request where the table allows, and nowhere else`, async (t) => {
      for (const to of REQUEST_STATES) {
        const { id } = await bring(t, from);
        await t.stands(id, from);
        const answer = await t.amend({ id, from: [from], to: { state: to, reason: REASON[to], dueAt: t.now + 500 } });
        const isAllowed = canMove(from, to) && from !== 'sending' && to !== 'sending';
        const expected = isAllowed
          ? { status: 'amended', state: landing(from, to) }
          : { status: 'refused', state: from };
        assert.deepEqual(
          { status: answer.status, state: answer.status !== 'notFound' && answer.state },
          expected,
          `${from} → ${to}`,
        );
        assert.equal(await t.state(id), expected.state);
        if (!isTerminal(expected.state as RequestState)) await clear(t, id);
      }
    });
  }

  for (const from of ['sending', 'unknown'] as const) {
    test(`settle moves a ${from} request where the table allows, and nowhere else`, async (t) => {
      for (const to of REQUEST_STATES) {
        const held = await bring(t, from);
        const answer = await t.settle(held, { state: to, reason: REASON[to], dueAt: t.now + 500 });
        const expected = canMove(from, to)
          ? { status: 'settled', state: landing(from, to) }
          : { status: 'stale', state: from };
        assert.deepEqual(
          { status: answer.status, state: answer.status !== 'notFound' && answer.state },
          expected,
          `${from} → ${to}`,
        );
        assert.equal(await t.state(held.id), expected.state);
        if (!isTerminal(expected.state as RequestState)) await clear(t, held.id);
      }
    });
  }

  test('settle moves nothing that is neither sending nor unknown', async (t) => {
    for (const from of REQUEST_STATES.filter((state) => state !== 'sending' && state !== 'unknown')) {
      const held = await bring(t, from);
      for (const token of [held.token, 0, 1]) {
        assert.deepEqual(await t.succeed({ id: held.id, token }), { status: 'stale', state: from });
      }
      if (!isTerminal(from)) await clear(t, held.id);
    }
  });
});

/** Takes a request out of the way of the next one. */
async function clear(t: Trial, id: string): Promise<void> {
  const { state, lease } = await t.get(id);
  if (state === 'sending') {
    await t.succeed({ id, token: lease?.token ?? 0 });
    return;
  }
  await t.move(id, { state: 'dead', reason: 'discarded' });
}
