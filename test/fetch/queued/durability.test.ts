import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import { answer, park } from '../../../src/testing/serverSteps.ts';
import type { Child } from '../../processes/support/child.ts';
import { DIST, startChild } from '../../processes/support/child.ts';
import { arrivals } from './support/looks.ts';

const APP = new URL('./support/fetchApp.mjs', import.meta.url);
const TOKEN = 'opaque-token-77c1e9';

let folder: string;
let server: ScriptedServer;
const children: Child[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-durable-'));
  server = await ScriptedServer.start();
});

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await server.close();
  rmSync(folder, { recursive: true });
});

async function open(options: object = {}): Promise<Child> {
  const child = startChild(APP, [JSON.stringify({ dist: DIST, database: join(folder, 'queue.db'), options })]);
  children.push(child);
  await child.line('open');
  return child;
}

/** Makes a call that waits offline in a process that is then killed; its id. */
async function leftBehind(init: object, path = '/notes'): Promise<string> {
  await server.stop();
  const app = await open();
  app.tell({ do: 'fetch', name: 'a', url: server.origin + path, init });
  await app.line('offline');
  let found: [string, string][] = [];
  // A kill in the middle of an attempt would leave a question.
  for (let n = 0; found[0] === undefined || found[0][1] === 'sending'; n += 1) {
    app.tell({ do: 'stored', name: `look${n}` });
    const said = await app.line(`stored look${n} `);
    found = JSON.parse(said.slice(`stored look${n} `.length));
  }
  await app.kill();
  await server.start();
  return found[0][0];
}

describe('a fetch whose process is killed while it waits', () => {
  it('is sent by the next one, and its answer is found by its id', async () => {
    const id = await leftBehind({ method: 'POST', body: 'hi', headers: { 'x-note': 'a' } });
    server.script.next(park);
    const app = await open();
    await server.ledger.until(({ entries }) => entries.length === 1);
    app.tell({ do: 'status', name: 'early', id });
    expect(await app.line('answered early ')).toContain(`answered early 202 https://queue.invalid/requests/${id} `);
    app.tell({ do: 'result', name: 'b', id });
    server.release();
    expect(await app.line('result b ')).toBe('result b 201 {"n":1,"method":"POST","path":"/notes"}');
    app.tell({ do: 'status', name: 'late', id });
    expect(await app.line('answered late ')).toBe(
      `answered late 201 https://queue.invalid/requests/${id} {"n":1,"method":"POST","path":"/notes"}`,
    );
    expect(arrivals(server)).toEqual(['POST /notes hi']);
    const { headers } = server.ledger.entries[0]?.request ?? { headers: [] };
    expect(headers).toContainEqual(['x-note', 'a']);
    expect(headers).toContainEqual(['content-type', 'text/plain;charset=UTF-8']);
    expect(headers).toContainEqual(['user-agent', 'node']);
  });

  it.each([
    { redirect: undefined, says: '200 {"n":2,"method":"GET","path":"/there"}', sent: ['POST /notes hi', 'GET /there'] },
    { redirect: 'follow', says: '200 {"n":2,"method":"GET","path":"/there"}', sent: ['POST /notes hi', 'GET /there'] },
    { redirect: 'manual', says: '303 see', sent: ['POST /notes hi'] },
  ])('treats redirects as it said: $redirect', async ({ redirect, says, sent }) => {
    const id = await leftBehind({ method: 'POST', body: 'hi', redirect });
    server.script.next(answer({ status: 303, headers: [['location', '/there']], body: 'see' }));
    const app = await open();
    app.tell({ do: 'result', name: 'b', id });
    expect(await app.line('result b ')).toBe(`result b ${says}`);
    expect(arrivals(server)).toEqual(sent);
  });

  it('treats redirects as errors where it said so', async () => {
    const id = await leftBehind({ method: 'PUT', body: 'hi', redirect: 'error' });
    server.script.next(answer({ status: 307, headers: [['location', '/there']], body: 'see' }));
    const app = await open();
    app.tell({ do: 'idle', name: 'end' });
    const counts = JSON.parse((await app.line('idle end ')).slice('idle end '.length)) as Record<string, number>;
    expect(counts).toMatchObject({ ready: 0, scheduled: 0, sending: 0, unknown: 0, succeeded: 0 });
    app.tell({ do: 'status', name: 'late', id });
    expect(await app.line('answered late ')).toContain('answered late 307 ');
    expect(arrivals(server)).toEqual(['PUT /notes hi']);
  });

  it('resends the body with a redirect that keeps the method', async () => {
    const id = await leftBehind({ method: 'POST', body: 'hi' });
    server.script.next(answer({ status: 308, headers: [['location', '/there']] }));
    const app = await open();
    app.tell({ do: 'result', name: 'b', id });
    expect(await app.line('result b ')).toBe('result b 201 {"n":2,"method":"POST","path":"/there"}');
    expect(arrivals(server)).toEqual(['POST /notes hi', 'POST /there hi']);
  });
});

describe('credentials of a fetch', () => {
  it('are in no file, and the next process waits for them', async () => {
    const init = { method: 'POST', body: 'hi', headers: { authorization: `Bearer ${TOKEN}`, cookie: `s=${TOKEN}` } };
    const id = await leftBehind(init, `/notes?api_key=${TOKEN}`);
    for (const file of readdirSync(folder)) {
      expect(readFileSync(join(folder, file)).includes(TOKEN), file).toBe(false);
    }
    const app = await open();
    // The same credentials come with another call.
    const url = `${server.origin}/other?api_key=${TOKEN}`;
    app.tell({ do: 'fetch', name: 'c', url, init: { ...init, body: 'other' } });
    await app.line('answered c 201');
    app.tell({ do: 'result', name: 'b', id });
    expect(await app.line('result b ')).toContain('result b 201 ');
    expect(arrivals(server).sort()).toEqual([`POST /notes?api_key=${TOKEN} hi`, `POST /other?api_key=${TOKEN} other`]);
    for (const { request } of server.ledger.entries) {
      expect(request.headers).toContainEqual(['authorization', `Bearer ${TOKEN}`]);
      expect(request.headers).toContainEqual(['cookie', `s=${TOKEN}`]);
    }
  });

  it('are in no file when a redirect brought them, or the page that it came from', async () => {
    const app = await open();
    server.script.next(answer({ status: 303, headers: [['location', `/there?access_token=${TOKEN}`]] }));
    const init = { method: 'POST', body: 'hi', referrer: `${server.origin}/page?token=${TOKEN}` };
    app.tell({
      do: 'fetch',
      name: 'a',
      url: `${server.origin}/notes`,
      init: { ...init, queue: { respond: 'accepted' } },
    });
    await app.line('answered a 202');
    app.tell({ do: 'idle', name: 'end' });
    await app.line('idle end ');
    await app.kill();
    expect(arrivals(server)).toEqual(['POST /notes hi', `GET /there?access_token=${TOKEN}`]);
    const inBody = `"path":"/there?access_token=${TOKEN}"`; // what the server said is kept as it is
    for (const file of readdirSync(folder)) {
      const text = readFileSync(join(folder, file)).toString('latin1').replaceAll(inBody, '');
      expect(text.includes(TOKEN), file).toBe(false);
    }
  });
});

it('a process ends by itself once its queue is closed, with fetches that wait', async () => {
  await server.stop();
  const app = await open();
  app.tell({ do: 'fetch', name: 'a', url: `${server.origin}/notes`, init: { method: 'POST', body: 'hi' } });
  app.tell({ do: 'fetch', name: 'b', url: `${server.origin}/notes` });
  app.tell({ do: 'close' });
  expect(await app.line('failed a ')).toBe('failed a QUEUE_CLOSED');
  expect(await app.line('failed b ')).toBe('failed b QUEUE_CLOSED');
  await app.line('closed');
  expect(await app.ended).toMatchObject({ code: 0, stderr: '' });
});
