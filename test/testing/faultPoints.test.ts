import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createUndiciTransport } from '../../src/client/transport/UndiciTransport.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { TransportCall } from '../../src/queue/types/transport.ts';
import type { FaultPoint } from '../../src/testing/faultPoints.ts';
import { withFaultPoints } from '../../src/testing/faultPoints.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { park } from '../../src/testing/serverSteps.ts';

let server: ScriptedServer;

beforeEach(async () => {
  server = await ScriptedServer.start();
});

afterEach(() => server.close());

function post(path = '/notes'): TransportCall {
  return { origin: server.origin, method: 'POST', path, headers: [], body: '{"a":1}', timeoutMs: 5_000 };
}

describe('the fault points of a transport', () => {
  it('are passed in order, the last byte before the answer', async () => {
    const passed: [FaultPoint, number][] = [];
    const parts = withFaultPoints(
      { backend: {} as Backend, transport: createUndiciTransport() },
      (point, nth) => void passed.push([point, nth]),
    );
    server.script.next(park);
    const sending = parts.transport.send(post());
    await server.ledger.until((ledger) => ledger.applied() === 1);
    expect(passed.map(([point]) => point)).toEqual(['send:beforeFirstByte', 'send:afterLastByte']);
    server.release();
    expect((await sending).phase).toBe('answered');
    await parts.transport.send(post());
    await parts.transport.close();
    expect(passed.slice(2)).toEqual([
      ['answer:beforeSettle', 1],
      ['send:beforeFirstByte', 2],
      ['send:afterLastByte', 2],
      ['answer:beforeSettle', 2],
    ]);
  });
});
