import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { QueueOptions, ZoneOptions } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { StoredRequest } from '../../src/queue/types/request.ts';
import { systemClock } from '../../src/system/clock.ts';
import { applyThenHang, hang, unavailable } from '../../src/testing/serverSteps.ts';
import { folder } from '../core/harness.ts';
import { eventOf } from './support/events.ts';
import { p99, rounded, tell } from './support/figures.ts';
import { Gauge } from './support/Gauge.ts';

const AT_ONCE = 4;
const HOLD_MS = 4;
const OPEN_MS = 400;
const RETRY_AFTER_S = 1;
/** Of what hangs; whoever answers is well within it, also on a busy machine. */
const TIMEOUT_MS = 1_000;
/** Waiting for each of the zones that are sick. */
const WAITING = 40;
const CALLS = 100;
const SICK = ['hanging', 'refusing'] as const;

type Kind = 'sqlite' | 'memory';

const GATES = {
  maxConcurrency: AT_ONCE,
  breaker: { openMs: OPEN_MS, rampMs: 1_000 },
} as const satisfies Partial<ZoneOptions>;

async function started(kind: Kind, zones: Record<string, ZoneOptions>): Promise<QueueManager> {
  const config: QueueOptions = {
    zones,
    backend: kind === 'memory' ? { kind } : { kind, path: join(await folder(), 'queue.db') },
    attemptTimeoutMs: TIMEOUT_MS,
    closeTimeoutMs: 500,
    retry: { baseDelayMs: 50, maxDelayMs: 500 },
  };
  const queue = new QueueManager({ config });
  onTestFinished(() => queue.close());
  await queue.start();
  return queue;
}

/** Latencies of so many calls, as many at once as their zone takes. */
async function served(queue: QueueManager, { origin }: Gauge): Promise<number[]> {
  const latencies: number[] = [];
  let made = 0;
  const caller = async (): Promise<void> => {
    while (made < CALLS) {
      made += 1;
      const at = systemClock.monotonicNow();
      const { state } = await queue.call({ method: 'POST', url: `${origin}/well`, body: { made } }).settled();
      expect(state).toBe('succeeded');
      latencies.push(systemClock.monotonicNow() - at);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  return latencies;
}

/** What reached a server after its gate closed, and how much time there was for that. */
class Watched {
  readonly gauge: Gauge;
  /** Calls that were given to the wire before its gate closed, wherever they were then. */
  before = 0;
  closedAt = Number.POSITIVE_INFINITY;

  constructor(queue: QueueManager, zone: string, gauge: Gauge) {
    this.gauge = gauge;
    queue.on('request:dispatched', (event) => {
      if (event.zone === zone && this.closedAt === Number.POSITIVE_INFINITY) this.before += 1;
    });
    queue.on('breaker:opened', (event) => {
      if (event.zone === zone) this.closedAt = Math.min(this.closedAt, systemClock.monotonicNow());
    });
  }

  get openMs(): number {
    return systemClock.monotonicNow() - this.closedAt;
  }

  get probes(): number {
    return this.gauge.arrivals.length - this.before;
  }
}

/** Openings that may have ended within so many ms: each is twice as long as the one before, without the jitter that is added. */
function openingsWithin(ms: number): number {
  let openings = 0;
  for (let sum = OPEN_MS; sum <= ms; sum += OPEN_MS * 2 ** openings) openings += 1;
  return openings;
}

/** What was meant for the zones that are sick, once nothing moves any more. */
async function whenIdle(queue: QueueManager): Promise<readonly StoredRequest[]> {
  await queue.idle();
  const found = await Promise.all(SICK.map((zone) => queue.find({ zone }, { limit: 2 * WAITING })));
  return found.flatMap(({ requests }) => requests);
}

async function play(kind: Kind, idempotency: ZoneOptions['idempotency']) {
  const [well, hanging, refusing] = [await Gauge.open(HOLD_MS), await Gauge.open(HOLD_MS), await Gauge.open(HOLD_MS)];
  // Half of what hangs was applied: the client cannot know which.
  hanging.always(({ n }) => (n % 2 === 0 ? applyThenHang : hang));
  refusing.always(unavailable(RETRY_AFTER_S));
  const sick = { ...GATES, idempotency };
  const queue = await started(kind, {
    well: { ...GATES, origins: [well.origin] },
    hanging: { ...sick, origins: [hanging.origin] },
    refusing: { ...sick, origins: [refusing.origin] },
  });
  const alone = await started(kind, { well: { ...GATES, origins: [well.origin] } });
  return { queue, alone, well, hanging, refusing };
}

describe('three zones, one of which hangs and one refuses', () => {
  it.each([
    ['sqlite', 'with keys', 'ietf'],
    ['memory', 'without keys', undefined],
  ] as const)(
    'the third is served as if alone, the others get probes only (%s, %s)',
    async (kind, name, idempotency) => {
      const { queue, alone, well, hanging, refusing } = await play(kind, idempotency);
      const [hung, refused] = [new Watched(queue, 'hanging', hanging), new Watched(queue, 'refusing', refusing)];
      const areClosed = Promise.all([
        eventOf(queue, 'breaker:opened', ({ zone }) => zone === 'hanging'),
        eventOf(queue, 'breaker:opened', ({ zone }) => zone === 'refusing'),
      ]);
      const areProbed = Promise.all([
        eventOf(queue, 'breaker:halfOpened', ({ zone }) => zone === 'hanging', 3),
        eventOf(queue, 'breaker:halfOpened', ({ zone }) => zone === 'refusing', 3),
      ]);
      for (let n = 0; n < WAITING; n += 1) {
        for (const { origin } of [hanging, refusing]) {
          await queue.enqueue({ method: 'POST', url: `${origin}/things/${n}`, body: { n } });
        }
      }
      await areClosed;

      const ratios: number[] = [];
      let isOver = false;
      const over = areProbed.then(() => {
        isOver = true;
      });
      while (!isOver || ratios.length < 4) {
        ratios.push(p99(await served(queue, well)) / p99(await served(alone, well)));
      }
      await over;
      const [hungMs, refusedMs] = [hung.openMs, refused.openMs];
      const [hungProbes, refusedProbes] = [hung.probes, refused.probes];

      for (const gauge of [hanging, refusing]) gauge.serve();
      const own = await whenIdle(queue);
      const states = (zone: string, state: string): number =>
        own.filter((request) => request.zone === zone && request.state === state).length;
      tell(`three zones, ${kind}, ${name}`, {
        'p99 beside over alone, median of rounds': rounded(ratios.toSorted((a, b) => a - b)[ratios.length >> 1] ?? 0),
        rounds: ratios.length,
        'hanging: before it closed': hung.before,
        probes: `${hungProbes} of ${openingsWithin(hungMs)} in ${Math.round(hungMs)} ms`,
        'refusing: before it closed': refused.before,
        'its probes': `${refusedProbes} of ${Math.floor(refusedMs / 1_000 / RETRY_AFTER_S)} in ${Math.round(refusedMs)} ms`,
        'in the end, hanging': `${states('hanging', 'succeeded')} succeeded ${states('hanging', 'held')} held`,
        refusing: `${states('refusing', 'succeeded')} succeeded ${states('refusing', 'held')} held`,
      });

      // What was out when the first of them told, and one more round of the one that takes its time to be told of.
      expect(hung.before).toBeLessThanOrEqual(2 * AT_ONCE);
      expect(refused.before).toBeLessThanOrEqual(AT_ONCE);
      expect(hungProbes).toBeGreaterThanOrEqual(2);
      expect(hungProbes).toBeLessThanOrEqual(openingsWithin(hungMs));
      expect(refusedProbes).toBeGreaterThanOrEqual(2);
      expect(refusedProbes).toBeLessThanOrEqual(Math.floor(refusedMs / 1_000 / RETRY_AFTER_S));
      expect(own.length).toBe(2 * WAITING);
      expect(states('refusing', 'succeeded')).toBe(WAITING);
      for (const { zone, state, content } of own) {
        const applied = (zone === 'hanging' ? hanging : refusing).server.ledger.applied(content.path);
        const isHeld = state === 'held' && idempotency === undefined;
        expect({ path: content.path, state, applied }).toEqual({
          path: content.path,
          state: isHeld ? 'held' : 'succeeded',
          applied: isHeld ? expect.toSatisfy((count: number) => count <= 1) : 1,
        });
      }
    },
  );
});
