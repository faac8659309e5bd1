// Fills the small disk it is given and tells what a store on it does. Runs from the built package.
import { rmSync, writeFileSync } from 'node:fs';
import { SQLiteBackend } from '../../../dist/queue/backends/sqlite/SQLiteBackend.js';
import { NO_PROGRESS } from '../../../dist/queue/types/request.js';

const [folder] = process.argv.slice(2);
const now = 1_700_000_000_000;
const identity = { worker: 'w', bootId: 'boot', pidNamespace: 'ns', pid: process.pid, processStart: '1' };
const backend = new SQLiteBackend({ path: `${folder}/queue.db` });
await backend.open({ identity, now, leaseNow: 1000, leaseMs: 30_000, isGone: () => false });

let made = 0;
async function accept() {
  made += 1;
  const content = { method: 'POST', path: '/notes', headers: [], body: 'x'.repeat(20_000) };
  const request = {
    id: `r${made}`,
    zone: 'api',
    channel: 'api',
    sender: '',
    ephemeral: false,
    content,
    effect: 'action',
    harmless: false,
    lane: null,
    after: [],
    refs: [],
    principal: 'ann',
    auth: 'none',
    client: null,
    key: null,
    fingerprint: null,
    digest: null,
    join: { rule: 'none' },
    idempotencyKey: null,
    base: null,
    priority: 5,
    rank: { form: 'value', value: 0 },
    notBefore: null,
    expiresAt: null,
    acceptedAt: now,
    trace: null,
    tags: [],
    durable: true,
    replayOf: null,
    bytes: 300,
  };
  const limits = { maxSize: 1e6, maxBytes: 1e9 };
  const claim = { worker: 'w', leaseUntil: 2000, allowance: [{ channel: 'api', calls: 1 }] };
  await backend.requests.enqueue({ requests: [request], atomic: false, now, limits, claim });
  return request.id;
}

async function refusal(of) {
  try {
    await of();
    return 'none';
  } catch (error) {
    return error.code;
  }
}

const leased = [];
for (let n = 0; n < 20; n += 1) leased.push(await accept());
try {
  writeFileSync(`${folder}/filler`, Buffer.alloc(64 * 1024 * 1024));
} catch (error) {
  if (error.code !== 'ENOSPC') throw error;
}
const told = { refused: 'none', refusedAgain: 'none', settled: 0, kept: 0, acceptedLater: false };
while (told.refused === 'none') {
  told.refused = await refusal(async () => leased.push(await accept()));
}
for (const id of leased) {
  const next = { state: 'succeeded', reason: 'applied' };
  const result = { status: 200, headers: [], body: new Uint8Array(10_000) };
  const settlements = [{ id, token: 1, next, progress: NO_PROGRESS, result }];
  const [settled] = await backend.requests.settle({ now, settlements });
  if (settled.status === 'settled') told.settled += 1;
}
told.refusedAgain = await refusal(accept);
told.kept = leased.length;
rmSync(`${folder}/filler`);
told.acceptedLater = (await refusal(accept)) === 'none';
await backend.close();
process.stdout.write(JSON.stringify(told));
