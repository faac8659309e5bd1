import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FaultPoint } from '../../src/testing/faultPoints.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { applyThenReset, slow, unavailable } from '../../src/testing/serverSteps.ts';
import type { Child, ChildEnd } from '../processes/support/child.ts';
import { DIST, describe as describeEnd, startChild } from '../processes/support/child.ts';
import { compare } from './support/evidence.ts';
import type { KillOrder, Phase } from './support/order.ts';
import { PHASES, phaseOf, pointOf } from './support/order.ts';

const { HOLDFAST_KILLS = '20', HOLDFAST_SEED: SEED = String(process.pid) } = process.env;
/** Kills that count: 20 by default, 200 by `npm run chaos`. */
const KILLS = Number(HOLDFAST_KILLS);
const INTENTS = 40;
const CHILD = new URL('./support/killChild.mjs', import.meta.url);

let folder: string;
let server: ScriptedServer;
let child: Child | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-kills-'));
  server = await ScriptedServer.start();
});

afterAll(async () => {
  await child?.kill();
  await server.close();
  rmSync(folder, { recursive: true });
});

/** Lives of one queue over one database: each drains what the one before left, works, and is killed at its point. */
describe('a queue that is killed', () => {
  it(
    `applies every accepted request exactly once over ${KILLS} kills (seed ${SEED})`,
    async () => {
      const random = seededRandom(SEED);
      const upTo = (most: number): number => 1 + Math.floor(random.number() * most);
      server.script.always(() => {
        const draw = random.number();
        if (draw < 0.02) return applyThenReset;
        if (draw < 0.04) return unavailable();
        return draw < 0.5 ? slow(upTo(6)) : undefined;
      });
      const accepted = new Set<number>();
      const perPhase = new Map<Phase, number>();
      let firstIntent = 0;
      let counted = 0;
      let lives = 0;

      const live = async (point: FaultPoint | null): Promise<ChildEnd> => {
        const order: KillOrder = {
          dist: DIST,
          database: join(folder, 'queue.db'),
          origin: server.origin,
          drains: true,
          firstIntent,
          intents: point === null ? 0 : INTENTS,
          name: 'lane',
          lanes: 7,
          callers: upTo(6),
          leaseMs: 30_000,
          fault: point === null ? null : { point, nth: upTo(6), from: lives % 3 === 2 ? 'start' : 'load' },
        };
        child = startChild(CHILD, [JSON.stringify(order)]);
        const end = await child.ended;
        firstIntent += INTENTS;
        lives += 1;
        const drained = end.lines.find((line) => line.startsWith('drained'));
        // Killed while draining: the next life has more to drain, and is judged then.
        if (drained !== undefined) {
          expect(drained, describeEnd(end)).toMatch(/^drained ok .*"dead":0/);
          // The work of this life is not drained yet, so it is not in `accepted` yet either.
          expect(compare(accepted, server.ledger.entries)).toEqual({ lost: [], duplicated: [], disordered: [] });
        }
        for (const line of end.lines) if (line.startsWith('accepted')) accepted.add(Number(line.split(' ')[1]));
        return end;
      };

      while (counted < KILLS) {
        const point = pointOf(counted);
        const end = await live(point);
        if (end.signal !== 'SIGKILL') {
          // It never came by its point so often: nothing was killed, and nothing is counted.
          expect({ ...end, survived: end.lines.includes('survived') }, describeEnd(end)).toMatchObject({
            code: 0,
            survived: true,
          });
          expect(lives, 'too many lives without a kill').toBeLessThan(3 * KILLS + 20);
          continue;
        }
        const dying = end.lines.at(-1) ?? '';
        expect(dying, describeEnd(end)).toContain(`dying ${point}`);
        counted += 1;
        const phase = phaseOf(point);
        perPhase.set(phase, (perPhase.get(phase) ?? 0) + 1);
        const saved = end.lines.filter((line) => line.startsWith('accepted')).length;
        console.log(
          `kill ${String(counted).padStart(3)}  ${phase} (${dying.slice(6)}; ${saved} accepted in this life)`,
        );
      }

      const last = await live(null);
      expect(last, describeEnd(last)).toMatchObject({ code: 0, signal: null });
      expect(compare(accepted, server.ledger.entries)).toEqual({ lost: [], duplicated: [], disordered: [] });

      const resends = server.ledger.entries.filter((entry) => entry.outcome === 'replayed').length;
      for (const phase of Object.keys(PHASES) as Phase[]) console.log(`${perPhase.get(phase) ?? 0} kills ${phase}`);
      console.log(`${accepted.size} accepted, each applied exactly once; ${resends} resends recognised by their key`);
      if (KILLS >= 200) {
        for (const phase of Object.keys(PHASES) as Phase[]) expect(perPhase.get(phase)).toBeGreaterThanOrEqual(20);
      }
    },
    60_000 + KILLS * 20_000,
  );
});
