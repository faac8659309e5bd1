import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { onTestFinished } from 'vitest';
import type { UndiciTransportOptions } from '../../../src/client/transport/UndiciTransport.ts';
import { createUndiciTransport } from '../../../src/client/transport/UndiciTransport.ts';
import type { Transport, TransportCall, TransportResult } from '../../../src/queue/types/transport.ts';

/** A transport that is closed when the test ends. */
export function transportFor(options?: UndiciTransportOptions): Transport {
  const transport = createUndiciTransport(options);
  onTestFinished(() => transport.close());
  return transport;
}

export function callTo(origin: string, over: Partial<TransportCall> = {}): TransportCall {
  return { origin, method: 'GET', path: '/', headers: [], body: null, timeoutMs: 30_000, ...over };
}

export function postTo(origin: string, over: Partial<TransportCall> = {}): TransportCall {
  return callTo(origin, { method: 'POST', headers: [['content-type', 'text/plain']], body: 'hello', ...over });
}

/** A result without what differs from run to run: asserting on Errors themselves would compare their messages only. */
export interface OutcomeSummary {
  readonly phase: TransportResult['phase'];
  readonly code?: string | undefined;
  readonly status?: number;
  readonly bodyCode?: string;
}

export function outcome(result: TransportResult): OutcomeSummary {
  if (result.phase !== 'answered') return { phase: result.phase, code: result.error.code };
  const { response, bodyError } = result;
  const summary = { phase: result.phase, status: response.status };
  return bodyError === undefined ? summary : { ...summary, bodyCode: (bodyError as { code?: string }).code ?? '' };
}

/** Resolves once a status line of the next call was read on this side. */
export function answersHead(): Promise<void> {
  return new Promise((resolve) => {
    const onHeaders = (): void => {
      unsubscribe('undici:request:headers', onHeaders);
      resolve();
    };
    subscribe('undici:request:headers', onHeaders);
  });
}
