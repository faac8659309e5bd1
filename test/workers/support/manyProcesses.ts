import { describe, expect, it } from 'vitest';
import type { CampaignOptions, Verdict } from './campaign.ts';
import { runCampaign } from './campaign.ts';
import { NO_FINDINGS } from './judge.ts';
import type { SharedBackend } from './order.ts';
import { busy, unsteady } from './tempers.ts';

const { HOLDFAST_REQUESTS = '600', HOLDFAST_SEED: SEED = String(process.pid) } = process.env;
/** 600 by default; as many as asked for by `npm run chaos:workers`. */
const REQUESTS = Number(HOLDFAST_REQUESTS);
const IS_DEEP = REQUESTS > 2_000;
/** Deeds of each kind: more in a longer campaign, but not in proportion. */
const DEEDS = Math.round(4 * Math.sqrt(REQUESTS / 600));
const LEASE_MS = IS_DEEP ? 2_000 : 1_000;
/** With room for leases that lapse on a slow machine, but not for a minute. */
const STANDSTILL_MS = 40_000;
const TIMEOUT_MS = 300_000 + REQUESTS * 100;
const FIVE_MINUTES_MS = 300_000;

async function campaign(backend: SharedBackend, name: string, options: Partial<CampaignOptions>): Promise<Verdict> {
  const verdict = await runCampaign({
    backend,
    seed: `${SEED}-${name}`,
    requests: REQUESTS,
    deeds: { killWorker: 0, pauseWorker: 0, killProducer: 0 },
    leaseMs: LEASE_MS,
    clockOffsetsMs: [0, 0, 0, 0],
    producers: 2,
    awaitEvery: IS_DEEP ? 50 : 10,
    temper: unsteady,
    standstillMs: STANDSTILL_MS,
    report: (line) => (IS_DEEP ? console.log(line) : undefined),
    ...options,
  });
  for (const line of verdict.summary) console.log(line);
  return verdict;
}

/** What every store that processes share has to keep. `backend` names it. */
export function describeManyProcesses(store: string, backend: () => SharedBackend): void {
  describe(`four workers and two producers over ${store} (seed ${SEED})`, () => {
    it(
      `apply each of ${REQUESTS} requests exactly once and in order while workers are killed and stopped`,
      async () => {
        const { findings, mishaps, accepted, kills, pauses } = await campaign(backend(), 'workers', {
          deeds: { killWorker: DEEDS, pauseWorker: DEEDS, killProducer: 0 },
        });
        expect({ findings, mishaps }).toEqual({ findings: NO_FINDINGS, mishaps: [] });
        expect({ accepted, kills, pauses }).toEqual({ accepted: REQUESTS, kills: DEEDS, pauses: DEEDS });
      },
      TIMEOUT_MS,
    );

    it(
      'apply what was accepted exactly once and in order while producers are killed too',
      async () => {
        const requests = REQUESTS / 2;
        const { findings, mishaps, accepted, producerKills } = await campaign(backend(), 'producers', {
          requests,
          deeds: { killWorker: Math.ceil(DEEDS / 4), pauseWorker: Math.ceil(DEEDS / 4), killProducer: DEEDS },
        });
        expect({ findings, mishaps }).toEqual({ findings: NO_FINDINGS, mishaps: [] });
        expect(accepted).toBeGreaterThanOrEqual(requests);
        expect(producerKills).toBeGreaterThan(0);
      },
      TIMEOUT_MS,
    );
  });
}

/** What a store with a clock of its own has to keep besides. */
export function describeSkewedClocks(store: string, backend: () => SharedBackend): void {
  // As many of each of two producers.
  const requests = Math.min(2 * Math.round(REQUESTS / 6), 2_000);

  describe(`two workers over ${store} whose clocks differ by five minutes (seed ${SEED})`, () => {
    it.each([
      ['behind', -FIVE_MINUTES_MS],
      ['ahead', FIVE_MINUTES_MS],
    ])(
      'send nothing twice, and lanes in order, when one is %s',
      async (name, offset) => {
        const { findings, mishaps, accepted, replayed } = await campaign(backend(), name, {
          requests,
          clockOffsetsMs: [0, offset],
          // Some calls take longer than a lease: who does not renew them loses them.
          temper: busy(2 * LEASE_MS),
        });
        expect({ findings, mishaps }).toEqual({ findings: NO_FINDINGS, mishaps: [] });
        expect({ accepted, replayed }).toEqual({ accepted: requests, replayed: 0 });
      },
      TIMEOUT_MS,
    );

    it(
      'take over what the other cannot finish, in seconds and not in minutes',
      async () => {
        const { findings, mishaps, accepted, pauses } = await campaign(backend(), 'stopped', {
          requests,
          clockOffsetsMs: [0, FIVE_MINUTES_MS],
          deeds: { killWorker: 1, pauseWorker: 4, killProducer: 0 },
        });
        expect({ findings, mishaps }).toEqual({ findings: NO_FINDINGS, mishaps: [] });
        expect({ accepted, pauses }).toEqual({ accepted: requests, pauses: 4 });
      },
      TIMEOUT_MS,
    );
  });
}
