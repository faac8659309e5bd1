// The judgement: what the app stored and was told, against what the office has.

import { isDeepStrictEqual } from 'node:util';

const MERGED = { title: 'Boiler does not start', status: 'solved', priority: 1, cause: 'gas valve', assignee: 'Kim' };

/**
 * @param {readonly object[]} first What the app told before it was killed.
 * @param {readonly object[]} second What it told in its second life.
 * @param {Awaited<ReturnType<typeof import('./server.mjs').startServer>>} server
 */
export function judge(first, second, server) {
  const problems = [];
  const expect = (isSo, what) => {
    if (!isSo) problems.push(what);
  };
  const told = (what) => second.filter((one) => one.what === what);

  const ids = first.filter(({ what }) => what === 'stored').map(({ id }) => id);
  expect(ids.length === 5, `${ids.length} requests were stored offline, not 5`);

  const plan = told('plan')[0]?.requests ?? [];
  const planned = plan.filter(({ would, guarantee }) => would === 'send' && guarantee === 'exactlyOnce');
  const plannedIds = planned.map(({ id }) => id);
  expect(isDeepStrictEqual(plannedIds, ids), 'the plan is not to send what was stored, in order and exactly once');

  const tickets = server.all('/tickets');
  const [ticket] = tickets;
  const notes = server.all('/notes');
  const times = server.all('/time-entries');
  expect(tickets.length === 1, `${tickets.length} tickets were made, not 1`);
  expect(notes.length === 2, `${notes.length} notes were made, not 2`);
  expect(times.length === 1, `${times.length} time entries were made, not 1`);
  const applied = server.log.filter(({ by, status, recognised }) => by === 'technician' && status < 300 && !recognised);
  const recognised = server.log.filter((entry) => entry.recognised);
  expect(applied.length === 5, `${applied.length} writes were applied, not 5`);
  expect(recognised.length === 1, `${recognised.length} resends were recognised, not 1`);

  const referring = [...notes, ...times].filter(({ ticketId }) => ticketId === ticket?.id);
  expect(referring.length === 3, `${referring.length} notes and time entries refer to the ticket, not 3`);
  const serverIds = told('bound').map(({ serverId }) => serverId);
  expect(isDeepStrictEqual(serverIds, [ticket?.id]), 'the id of the ticket was not told');

  const conflicts = told('ended').flatMap(({ conflicts }) => conflicts);
  expect(conflicts.length === 1, `${conflicts.length} conflicts were remembered, not 1`);
  const resolved = told('resolved').map(({ strategy, action }) => `${strategy} ${action}`);
  expect(isDeepStrictEqual(resolved, ['merge resend']), 'the conflict was not told to be merged');
  expect(
    isDeepStrictEqual(ticket, { id: ticket?.id, ...MERGED }),
    'the ticket is not what the merge should have made of it',
  );
  expect(isDeepStrictEqual(told('ticket')[0]?.ticket, ticket), 'the app shows another ticket than the office');

  const succeeded = told('ended').filter(({ state }) => state === 'succeeded');
  const toldIds = new Set(succeeded.map(({ id }) => id));
  expect(isDeepStrictEqual(toldIds, new Set(ids)), `${toldIds.size} requests were told to have succeeded, not 5`);
  const { succeeded: done, ...rest } = told('rest')[0]?.counts ?? {};
  const left = Object.values(rest).reduce((sum, count) => sum + count, 0);
  expect(done === 5 && left === 0, `${left} requests are left`);

  const line =
    `${ids.length} accepted offline, ${applied.length} applied, ${recognised.length} resend recognised, ` +
    `${referring.length} refer to ticket ${ticket?.id}, ${conflicts.length} conflict merged, ${left} left or held`;
  return { line, problems };
}
