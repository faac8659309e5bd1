import { describe, expect, it } from 'vitest';
import { describeRedis } from '../../redis/support/describeRedis.ts';
import { RedisServer } from '../../redis/support/RedisServer.ts';
import type { FullOrder, FullPoint, Given } from './support/full.ts';
import { CAN_MOUNT, lives } from './support/full.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';

const POINTS: readonly FullPoint[] = [
  ['recover', 1],
  ...[1, 2, 4, 7].map((nth) => ['enqueue', nth] as const),
  ['claim', 1],
  ...[1, 2, 3].map((nth) => ['settle', nth] as const),
];
const LEFT = 5;

type Redis = FullOrder['redis'];

const codesOf = (given: readonly Given[]): string[] => [...new Set(given.flatMap(({ code }) => code ?? []))];
const acceptedOf = (given: readonly Given[]): number[] =>
  given.flatMap(({ intent, code }) => (code === undefined ? intent : []));

/** Intents of a run that the server did, as often as it did. */
function doneIn(site: Site, run: string): number[] {
  const bodies = site
    .changes()
    .map(({ body }) => JSON.parse(body) as { readonly run: string; readonly intent: number });
  return bodies
    .filter((one) => one.run === run)
    .map(({ intent }) => intent)
    .sort((a, b) => a - b);
}

function tests(
  kind: 'SQLite' | 'Redis',
  start: () => Promise<{ readonly redis: Redis; dispose(): Promise<void> }>,
): void {
  it('at any write refuses what is new, lands what is under way, and goes on once there is room', async () => {
    const site = await Site.open();
    const { redis, dispose } = await start();
    const runs = await lives([{ do: 'fill', points: POINTS, origin: site.server.origin, redis }]);
    await dispose();
    expect(runs.map(({ run }) => run)).toEqual(POINTS.map((point) => point.join('-')));
    for (const { run, isFilled, results, whileFull, later, counts, afterwards } of runs) {
      const accepted = acceptedOf(results);
      report(
        `T12 full at ${run}`,
        kind,
        `accepted ${accepted.length} refused ${results.length - accepted.length}`,
        `while full: ${says(whileFull)}`,
        `then: ${says(counts)}`,
      );
      expect(
        codesOf(results).filter((code) => code !== 'STORAGE_FULL'),
        run,
      ).toEqual([]);
      expect(whileFull, run).toMatchObject({ succeeded: accepted.length, sending: 0, unknown: 0, held: 0, dead: 0 });
      expect(isFilled, run).toBe(true);
      expect(acceptedOf(later), run).toEqual([9, 10]);
      expect(doneIn(site, run), run).toEqual([...accepted, 9, 10]);
      expect(counts, run).toMatchObject({ succeeded: accepted.length + 2, dead: 0, held: 0 });
      expect(afterwards, run).toEqual(counts);
    }
    report('T12 all runs', kind, told(site.saw()));
  });

  it('keeps nobody from finishing what a life left that was killed', async () => {
    const site = await Site.open();
    const { redis, dispose } = await start();
    const { origin } = site.server;
    const [death, drained] = await lives([
      { do: 'die', count: LEFT, origin, redis },
      { do: 'drain', origin, redis },
    ]);
    await dispose();
    report(
      'T12 killed while full',
      kind,
      `while full: ${says(drained?.whileFull ?? ({} as never))}`,
      `then: ${says(drained?.counts ?? ({} as never))}`,
      told(site.saw()),
    );
    expect(acceptedOf(death?.results ?? [])).toHaveLength(LEFT);
    expect(drained?.counts).toMatchObject({ succeeded: LEFT, held: 0, dead: 0 });
    expect(doneIn(site, 'death')).toEqual([0, 1, 2, 3, 4]);
    expect(drained?.whileFull).toMatchObject({ succeeded: LEFT });
  });
}

describe.skipIf(!CAN_MOUNT)('T12: a full disk under SQLite', () => {
  tests('SQLite', async () => ({ redis: undefined, dispose: async () => undefined }));
});

describeRedis('T12: a full memory of Redis', () => {
  tests('Redis', async () => {
    const server = await RedisServer.start({ args: ['--maxmemory-policy', 'noeviction'] });
    return { redis: { port: server.port, keyPrefix: 'full' }, dispose: () => server.dispose() };
  });
});
