// Accepts and settles until it is killed, and prints what was acknowledged. Runs from the built package.
import { SQLiteBackend } from '../../../dist/queue/backends/sqlite/SQLiteBackend.js';
import { NO_PROGRESS } from '../../../dist/queue/types/request.js';

const [path, round] = process.argv.slice(2);
const worker = `w${round}`;
const identity = { worker, bootId: 'boot', pidNamespace: 'ns', pid: process.pid, processStart: '1' };
const now = 1_700_000_000_000;
const backend = new SQLiteBackend({ path });
await backend.open({ identity, now, leaseNow: 1000, leaseMs: 30_000, isGone: () => false });

async function caller(n) {
  for (let m = 0; ; m += 1) {
    const id = `${round}-${n}-${m}`;
    const content = { method: 'POST', path: '/notes', headers: [], body: 'x'.repeat(300) };
    const request = {
      id,
      zone: 'api',
      channel: 'api',
      sender: '',
      ephemeral: false,
      content,
      effect: 'action',
      harmless: false,
      lane: m % 3 === 0 ? `lane${n % 4}` : null,
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
    const [accepted] = await backend.requests.enqueue({
      requests: [request],
      atomic: false,
      now,
      limits: { maxSize: 1e6, maxBytes: 1e9 },
      claim: { worker, leaseUntil: 2000, allowance: [{ channel: 'api', calls: 1 }] },
    });
    process.stdout.write(`accepted ${id}\n`);
    const leased = accepted.token === null ? await claim() : [[id, accepted.token]];
    for (const [leasedId, token] of leased) {
      const next = { state: 'succeeded', reason: 'applied' };
      const result = { status: 201, headers: [], body: new Uint8Array(100) };
      const settlement = { id: leasedId, token, next, progress: NO_PROGRESS, result };
      await backend.requests.settle({ now, settlements: [settlement] });
      process.stdout.write(`settled ${leasedId}\n`);
    }
  }
}
async function claim() {
  const channels = [{ channel: 'api', senders: [''], calls: 2, perCall: 1 }];
  const { claimed } = await backend.requests.claim({ worker, now, leaseUntil: 2000, channels });
  return claimed.map(({ id, lease }) => [id, lease.token]);
}

await Promise.all(Array.from({ length: 20 }, (_, n) => caller(n)));
