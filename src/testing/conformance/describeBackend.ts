import { aliasGroup } from './aliases.ts';
import { amendGroup } from './amend.ts';
import { bindingGroup } from './bindings.ts';
import { carriedGroup, conditionGroup } from './carried.ts';
import { cascadeGroup } from './cascades.ts';
import { claimGroup } from './claim.ts';
import { claimPartsGroup } from './claimParts.ts';
import { claimFreshProbeGroup, claimProbeGroup, claimProbePastGroup } from './claimProbe.ts';
import { claimWithinGroup, enqueueWithinGroup } from './claimWithin.ts';
import { closeGroup } from './close.ts';
import { concurrencyGroup } from './concurrency.ts';
import { contentGroup } from './content.ts';
import type { ConformanceOptions } from './contract.ts';
import { countGroup } from './count.ts';
import { dependencyGroup } from './dependencies.ts';
import { enqueueClaimGroup, enqueueGroup } from './enqueue.ts';
import { expireGroup } from './expire.ts';
import { failureGroup } from './failures.ts';
import { findGroup } from './find.ts';
import { firingGroup } from './firings.ts';
import { flowsGroup } from './flows.ts';
import type { ConformanceGroup, ConformanceTest } from './group.ts';
import { historyGroup } from './history.ts';
import { intentGroup } from './intents.ts';
import { joinGroup } from './joins.ts';
import { laneGroup } from './lanes.ts';
import { leaseGroup } from './leases.ts';
import { nextDueAtGroup } from './nextDueAt.ts';
import { purgeGroup } from './purge.ts';
import { recoverGroup } from './recover.ts';
import { replaceGroup } from './replaces.ts';
import { reranksGroup } from './reranks.ts';
import { scheduleGroup } from './schedules.ts';
import { settleGroup } from './settle.ts';
import { settlePatchGroup } from './settlePatch.ts';
import { sharedStateGroup } from './sharedState.ts';
import { Trial } from './Trial.ts';
import { transitionGroup } from './transitions.ts';
import { unknownGroup } from './unknown.ts';

/** Every group of the suite. */
export const CONFORMANCE_GROUPS: readonly ConformanceGroup[] = Object.freeze([
  enqueueGroup,
  enqueueClaimGroup,
  enqueueWithinGroup,
  joinGroup,
  carriedGroup,
  replaceGroup,
  laneGroup,
  dependencyGroup,
  failureGroup,
  cascadeGroup,
  claimGroup,
  flowsGroup,
  reranksGroup,
  claimWithinGroup,
  claimPartsGroup,
  claimProbeGroup,
  claimProbePastGroup,
  claimFreshProbeGroup,
  unknownGroup,
  leaseGroup,
  settleGroup,
  settlePatchGroup,
  bindingGroup,
  aliasGroup,
  amendGroup,
  conditionGroup,
  transitionGroup,
  recoverGroup,
  expireGroup,
  nextDueAtGroup,
  findGroup,
  countGroup,
  purgeGroup,
  contentGroup,
  intentGroup,
  concurrencyGroup,
  closeGroup,
  scheduleGroup,
  firingGroup,
  sharedStateGroup,
  historyGroup,
]);

/**
 * Defines the tests that every backend passes: what the doc comments of `RequestStore`, `ScheduleStore`, `SharedState` and `History` say, on a
 * fresh store each. Tests give their own time and never sleep.
 *
 * @example
 * describeBackend({ name: 'mine', create: () => makeStore(), runner: { describe, it } });
 */
export function describeBackend(options: ConformanceOptions): void {
  const { runner } = options;
  const reasons = new Map((options.skip ?? []).map(({ test, reason }) => [test, reason]));
  runner.describe(`${options.name} backend`, () => {
    for (const { name, tests } of CONFORMANCE_GROUPS) {
      runner.describe(name, () => {
        for (const test of tests) define(options, test, takeReason(reasons, options, name, test));
      });
    }
  });
  if (reasons.size > 0) throw new Error(`No such conformance tests to skip: ${[...reasons.keys()].join(', ')}`);
}

function takeReason(
  reasons: Map<string, string>,
  options: ConformanceOptions,
  groupName: string,
  test: ConformanceTest,
): string | undefined {
  const name = `${groupName}: ${test.name}`;
  const reason = reasons.get(name);
  reasons.delete(name);
  if (reason !== undefined) return reason;
  return test.needsHandles && options.severalHandles === false ? 'one handle at a time' : undefined;
}

/** A skipped test stands in the report under its name with the reason, in any runner. */
function define(options: ConformanceOptions, test: ConformanceTest, skipped: string | undefined): void {
  if (skipped !== undefined) {
    options.runner.it(`${test.name} (skipped: ${skipped})`, async () => undefined);
    return;
  }
  options.runner.it(test.name, async () => {
    const store = await options.create();
    try {
      await test.run(await Trial.start(store));
    } finally {
      await store.dispose();
    }
  });
}
