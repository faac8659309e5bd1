import type { Clock } from '../../system/clock.ts';
import type { Transport, TransportCall, TransportResult } from '../types/transport.ts';

/** A transport that does not end its calls in time gets so long after its signal. */
const GRACE_MS = 2_000;

/**
 * Sends by a transport that may not keep to the time of a call: its signal is fired then, with `reason`, and soon after it is not waited for any
 * longer. The signal is made when it is first asked for: many never ask.
 */
export function sendWatched(
  transport: Transport,
  clock: Clock,
  call: TransportCall,
  reason: () => Error,
): Promise<TransportResult> {
  return new Promise((resolve, reject) => {
    let own: AbortController | undefined;
    let late: Error | undefined;
    let timer = clock.schedule(call.timeoutMs, () => {
      const error = reason();
      late = error;
      own?.abort(error);
      timer = clock.schedule(GRACE_MS, () => resolve(timedOut('sent', error)));
    });
    const watched: TransportCall = {
      ...call,
      get signal() {
        own ??= new AbortController();
        if (late !== undefined) own.abort(late);
        return call.signal === undefined ? own.signal : AbortSignal.any([call.signal, own.signal]);
      },
    };
    transport.send(watched).then(
      (result) => {
        timer.cancel();
        // What it says of the signal that was fired is not what happened.
        resolve(late !== undefined && result.phase !== 'answered' ? timedOut(result.phase, late) : result);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

function timedOut(phase: 'notSent' | 'sent', cause: Error): TransportResult {
  const error = new Error('The call was not answered in time.', { cause });
  return { phase, error: Object.assign(error, { code: 'CALL_TIMEOUT' }) };
}
