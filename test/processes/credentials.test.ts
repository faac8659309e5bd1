import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { park } from '../../src/testing/serverSteps.ts';
import type { Child } from './support/child.ts';
import { DIST, startChild } from './support/child.ts';

const APP = new URL('./support/app.mjs', import.meta.url);
const ANNA = 'opaque-anna-5f3c1a';
const BERT = 'opaque-bert-9d77e0';

let folder: string;
let server: ScriptedServer;
const children: Child[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-credentials-'));
  server = await ScriptedServer.start();
});

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await server.close();
  rmSync(folder, { recursive: true });
});

async function open(): Promise<Child> {
  // With a key, what a kill left in doubt is sent again instead of being held for a person.
  const options = { zones: { api: { origins: [server.origin], idempotency: 'ietf' } } };
  const child = startChild(APP, [JSON.stringify({ dist: DIST, database: join(folder, 'queue.db'), options })]);
  children.push(child);
  await child.line('open');
  return child;
}

/** The counts of states once nothing can move by itself. */
async function idle(app: Child, name: string): Promise<unknown> {
  app.tell({ do: 'idle', name });
  const line = await app.line(`idle ${name} `);
  return JSON.parse(line.slice(`idle ${name} `.length));
}

/** What the server got, as `method path token`, sorted. */
function received(): string[] {
  return server.ledger.entries
    .map(({ request }) => {
      const token = request.headers.find(([name]) => name === 'authorization')?.[1];
      return `${request.method} ${request.path} ${token}`;
    })
    .sort();
}

describe('credentials of callers', () => {
  it('go out with each of two equal reads asked at once', async () => {
    server.script.always(park);
    const app = await open();
    app.tell({ do: 'call', name: 'a', method: 'GET', url: `${server.origin}/me`, token: ANNA });
    app.tell({ do: 'call', name: 'b', method: 'GET', url: `${server.origin}/me`, token: BERT });
    await server.ledger.until((ledger) => ledger.entries.length === 2);
    server.release();
    expect(await app.line('settled a')).toBe('settled a succeeded 200');
    expect(await app.line('settled b')).toBe('settled b succeeded 200');
    expect(received()).toEqual([`GET /me Bearer ${ANNA}`, `GET /me Bearer ${BERT}`]);
  });

  it('are never those of another caller after a kill and a restart', async () => {
    await server.stop();
    const first = await open();
    first.tell({ do: 'call', name: 'a', method: 'POST', url: `${server.origin}/of-anna`, token: ANNA, body: {} });
    first.tell({ do: 'call', name: 'b', method: 'POST', url: `${server.origin}/of-bert`, token: BERT, body: {} });
    await Promise.all([first.line('accepted a'), first.line('accepted b')]);
    await first.kill();
    await server.start();

    // Only Anna is here: hers goes out with her next call, Bert's waits for him.
    const second = await open();
    second.tell({ do: 'call', name: 'c', method: 'POST', url: `${server.origin}/new-of-anna`, token: ANNA, body: {} });
    await second.line('settled c');
    expect(await idle(second, 'alone')).toMatchObject({ succeeded: 2, dead: 0 });
    expect(received()).toEqual([`POST /new-of-anna Bearer ${ANNA}`, `POST /of-anna Bearer ${ANNA}`]);

    second.tell({ do: 'call', name: 'd', method: 'POST', url: `${server.origin}/new-of-bert`, token: BERT, body: {} });
    await server.ledger.until((ledger) => ledger.applied('/of-bert') === 1);
    await second.line('settled d');
    expect(await idle(second, 'both')).toMatchObject({ succeeded: 4, held: 0 });
    expect(received()).toEqual([
      `POST /new-of-anna Bearer ${ANNA}`,
      `POST /new-of-bert Bearer ${BERT}`,
      `POST /of-anna Bearer ${ANNA}`,
      `POST /of-bert Bearer ${BERT}`,
    ]);
  });

  it('serve the calls of two processes on one file, none of which is held', async () => {
    const [one, two] = await Promise.all([open(), open()]);
    const names = Array.from({ length: 20 }, (_, n) => `n${n}`);
    for (const name of names) {
      one.tell({ do: 'call', name, method: 'POST', url: `${server.origin}/of-anna`, token: ANNA, body: { name } });
      two.tell({ do: 'call', name, method: 'POST', url: `${server.origin}/of-bert`, token: BERT, body: { name } });
    }
    for (const name of names) {
      expect(await one.line(`settled ${name} `)).toBe(`settled ${name} succeeded 201`);
      expect(await two.line(`settled ${name} `)).toBe(`settled ${name} succeeded 201`);
    }
    expect(received()).toEqual([
      ...names.map(() => `POST /of-anna Bearer ${ANNA}`),
      ...names.map(() => `POST /of-bert Bearer ${BERT}`),
    ]);
    expect(await idle(one, 'end')).toMatchObject({ held: 0, succeeded: 40 });
  });

  it('are in no file of the store', async () => {
    await server.stop();
    const app = await open();
    app.tell({
      do: 'call',
      name: 'a',
      method: 'POST',
      url: `${server.origin}/me?api_key=${BERT}`,
      token: ANNA,
      body: {},
    });
    await app.line('accepted a');
    await app.kill();
    const stored = readdirSync(folder).map((file) => readFileSync(join(folder, file)));
    expect(stored.length).toBeGreaterThan(0);
    for (const bytes of stored) {
      expect(bytes.includes(ANNA)).toBe(false);
      expect(bytes.includes(BERT)).toBe(false);
    }
  });
});
