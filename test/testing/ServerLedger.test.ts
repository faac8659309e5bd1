import { describe, expect, it } from 'vitest';
import { ServerLedger } from '../../src/testing/ServerLedger.ts';
import type { ReceivedRequest, ServerAnswer } from '../../src/testing/serverSteps.ts';

function request(over: Partial<ReceivedRequest> = {}): ReceivedRequest {
  return {
    n: 1,
    origin: 'https://api.test',
    method: 'POST',
    path: '/notes',
    headers: [['idempotency-key', 'k1']],
    body: 'one',
    ...over,
  };
}

const created = (received: ReceivedRequest): ServerAnswer => ({ status: 201, body: { n: received.n } });

describe('ServerLedger', () => {
  it('applies a key once and replays its answer', () => {
    const ledger = new ServerLedger();
    const first = ledger.apply(request(), created);
    const again = ledger.apply(request({ n: 2 }), created);
    expect(again).toMatchObject({ status: first.status, body: first.body });
    expect(again.headers).toContainEqual(['idempotent-replayed', 'true']);
    expect(ledger.entries.map((entry) => entry.outcome)).toEqual(['applied', 'replayed']);
  });

  it('refuses a key that comes with other content', () => {
    const ledger = new ServerLedger();
    ledger.apply(request(), created);
    expect(ledger.apply(request({ body: 'two' }), created).status).toBe(422);
    expect(ledger.applied('/notes')).toBe(1);
  });

  it('applies every arrival where keys are not honoured', () => {
    const ledger = new ServerLedger({ keyHeader: null });
    ledger.apply(request(), created);
    ledger.apply(request(), created);
    expect(ledger.applied('/notes')).toBe(2);
  });

  it('counts writes by path without query and does not count reads', () => {
    const ledger = new ServerLedger();
    ledger.apply(request({ path: '/notes?x=1', headers: [] }), created);
    ledger.apply(request({ method: 'GET' }), created);
    expect([ledger.applied('/notes'), ledger.applied()]).toEqual([1, 1]);
    expect(ledger.entries.at(-1)?.outcome).toBe('read');
  });

  it('tells who waits as soon as a condition holds', async () => {
    const ledger = new ServerLedger();
    const two = ledger.until((seen) => seen.applied() === 2);
    ledger.apply(request({ headers: [] }), created);
    ledger.apply(request({ headers: [] }), created);
    await two;
    expect(ledger.applied()).toBe(2);
  });
});
