// A backend with a spill in a process of its own, which accepts what it is told to and says what was accepted. From the built package.
import { createInterface } from 'node:readline';
import { RedisBackend } from '../../../dist/queue/backends/redis/RedisBackend.js';
import { SpillingBackend } from '../../../dist/queue/backends/spill/SpillingBackend.js';
import { SQLiteBackend } from '../../../dist/queue/backends/sqlite/SQLiteBackend.js';
import { systemClock as clock } from '../../../dist/system/clock.js';

const { worker, store, redis, spill } = JSON.parse(process.argv[2]);
const primary =
  redis === undefined
    ? new SQLiteBackend({ path: store, busyTimeoutMs: 50 })
    : new RedisBackend({ ...redis, commandTimeoutMs: 500 }, { clock });
const backend = new SpillingBackend({
  primary,
  spill: new SQLiteBackend({ path: spill, durability: 'normal' }),
  of: 'store',
  clock,
  retryMs: 20,
});
const identity = { worker, bootId: 'boot', pidNamespace: 'ns', pid: process.pid, processStart: worker };
const now = clock.now();
await backend.open({ identity, now, leaseNow: clock.monotonicNow(), leaseMs: 30_000, isGone: () => false });
process.stdout.write('open\n');

/** Request number `n` of this worker, in one of three lanes of its own. */
function request(n) {
  const content = { method: 'POST', path: '/notes', headers: [], body: 'x'.repeat(200) };
  return {
    id: `${worker}-${String(n).padStart(6, '0')}`,
    zone: 'api',
    channel: 'api',
    sender: '',
    ephemeral: false,
    content,
    effect: 'action',
    harmless: false,
    lane: `${worker}${n % 3}`,
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
    acceptedAt: clock.now(),
    trace: null,
    tags: [],
    durable: true,
    replayOf: null,
    bytes: 200,
  };
}

async function accept(from, count) {
  for (let n = from; n < from + count; n += 5) {
    const requests = Array.from({ length: Math.min(5, from + count - n) }, (_, index) => request(n + index));
    const limits = { maxSize: 1e6, maxBytes: 1e9 };
    const batch = { requests, atomic: false, now: clock.now(), limits, claim: null };
    const results = await backend.requests.enqueue(batch);
    for (const { status, id, seq } of results) process.stdout.write(`${status} ${id} ${seq}\n`);
  }
  process.stdout.write(`done ${from}\n`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { from, count } = JSON.parse(line);
  await accept(from, count);
}
await backend.close();
