import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { hang } from '../../src/testing/serverSteps.ts';
import type { Child } from './support/child.ts';
import { DIST, describe as describeEnd, startChild } from './support/child.ts';

const APP = new URL('./support/app.mjs', import.meta.url);

let folder: string;
let server: ScriptedServer;
const children: Child[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-close-'));
  server = await ScriptedServer.start();
});

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await server.close();
  rmSync(folder, { recursive: true });
});

async function open(options = {}): Promise<Child> {
  const order = { dist: DIST, database: join(folder, 'new', 'queue.db'), options };
  const child = startChild(APP, [JSON.stringify(order)]);
  children.push(child);
  await child.line('open');
  return child;
}

describe('a process that closed its queue', () => {
  it('ends by itself when everything is sent', async () => {
    const app = await open();
    app.tell({ do: 'call', name: 'a', method: 'POST', url: `${server.origin}/notes`, body: { text: 'hi' } });
    expect(await app.line('settled a')).toBe('settled a succeeded 201');
    app.tell({ do: 'close' });
    const end = await app.ended;
    expect(end, describeEnd(end)).toMatchObject({ code: 0, signal: null });
    expect(end.lines).toContain('closed');
  });

  it('ends by itself with requests waiting for a server that is down, and sends them in its next life', async () => {
    await server.stop();
    const app = await open();
    app.tell({ do: 'call', name: 'a', method: 'POST', url: `${server.origin}/notes`, body: { text: 'hi' } });
    await app.line('accepted a');
    app.tell({ do: 'close' });
    const end = await app.ended;
    expect(end, describeEnd(end)).toMatchObject({ code: 0, signal: null });
    expect(end.lines).toContain('failed a QUEUE_CLOSED');

    await server.start();
    const next = await open();
    await server.ledger.until((ledger) => ledger.applied('/notes') === 1);
    next.tell({ do: 'close' });
    expect(await next.ended).toMatchObject({ code: 0, signal: null });
  });

  it('ends by itself with an answer outstanding, once the deadline of close has passed', async () => {
    server.script.always(hang);
    const app = await open({ closeTimeoutMs: 100 });
    app.tell({ do: 'call', name: 'a', method: 'POST', url: `${server.origin}/notes`, body: { text: 'hi' } });
    await server.ledger.until((ledger) => ledger.entries.length === 1);
    app.tell({ do: 'close' });
    const end = await app.ended;
    expect(end, describeEnd(end)).toMatchObject({ code: 0, signal: null });
  });
});
