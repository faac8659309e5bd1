import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FaultPoint } from '../../src/testing/faultPoints.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { slow } from '../../src/testing/serverSteps.ts';
import type { Child } from '../processes/support/child.ts';
import { DIST, describe as describeEnd, startChild } from '../processes/support/child.ts';
import { compare } from './support/evidence.ts';
import type { KillOrder } from './support/order.ts';

const CHILD = new URL('./support/killChild.mjs', import.meta.url);

let folder: string;
let server: ScriptedServer;
const children: Child[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-two-'));
  server = await ScriptedServer.start();
  server.script.always(slow(3));
});

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await server.close();
  rmSync(folder, { recursive: true });
});

function start(name: string, firstIntent: number, intents: number, fault: KillOrder['fault'] = null): Child {
  const order: KillOrder = {
    dist: DIST,
    database: join(folder, 'queue.db'),
    origin: server.origin,
    drains: name === 'last',
    firstIntent,
    intents,
    name,
    lanes: 5,
    callers: 4,
    leaseMs: 3_000,
    fault,
  };
  const child = startChild(CHILD, [JSON.stringify(order)]);
  children.push(child);
  return child;
}

describe('two processes on one file, one of which is killed', () => {
  it.each<[FaultPoint, number]>([
    ['accept:duringCommit', 4],
    ['fence:afterCommit', 3],
    ['send:afterLastByte', 2],
    ['answer:beforeSettle', 2],
    ['settle:duringCommit', 1],
  ])('at %s: the other finishes the work of both', async (point, nth) => {
    const survivor = start('survivor', 0, 200);
    const victim = start('victim', 1_000, 60, { point, nth, from: 'load' });
    const [survived, killed] = await Promise.all([survivor.ended, victim.ended]);
    expect(killed, describeEnd(killed)).toMatchObject({ signal: 'SIGKILL' });
    expect(survived, describeEnd(survived)).toMatchObject({ code: 0, signal: null });
    // The survivor says so once nothing of either can move. Had the victim outlived it, something may be left.
    expect(survived.lines).toContain('survived');
    const last = await start('last', 2_000, 0).ended;
    expect(last, describeEnd(last)).toMatchObject({ code: 0, signal: null });
    expect(last.lines[0]).toMatch(/^drained ok /);

    const accepted = new Set(
      [...survived.lines, ...killed.lines]
        .filter((line) => line.startsWith('accepted'))
        .map((line) => Number(line.split(' ')[1])),
    );
    expect(compare(accepted, server.ledger.entries)).toEqual({ lost: [], duplicated: [], disordered: [] });
  });
});
