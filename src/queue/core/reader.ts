import { HoldfastError } from '../../errors.ts';
import type { ConnectivityEvidence } from '../strategies/connectivity.ts';
import { statusVerdict } from '../strategies/statusTable.ts';
import { evidenceOf } from '../strategies/transportErrors.ts';
import type { HttpResponse } from '../types/request.ts';
import type { TransportFailure, TransportResult } from '../types/transport.ts';
import type { ProbeContext } from './config/options.ts';
import type { Context } from './context.ts';
import type { Credentials } from './credentials.ts';
import type { SentRequest } from './sentRequest.ts';
import type { Zone } from './zone.ts';

/** What to read, as a probe asks for it. */
export type Read = Parameters<ProbeContext['send']>[0];

/** What the reads made for one purpose met: a zone that serves nobody shows nothing of the request. */
export interface Sight {
  /** `paced`: nothing was read, as the zone may not be called just now. */
  fault: 'none' | 'notSent' | 'zone' | 'paced';
  /** It can be read later as well, when the rate of the zone allows it. */
  readonly canWait?: boolean | undefined;
}

/** Told what a read showed of its zone. */
export type Observed = (zone: Zone, evidence: ConnectivityEvidence, error: TransportFailure['error'] | null) => void;

/** Reads of our own, beside requests: what a server has, asked for with the credentials of the request it is about. */
export class Reader {
  readonly #context: Context;
  readonly #credentials: Credentials;
  readonly #observed: Observed;

  constructor(context: Context, credentials: Credentials, observed: Observed) {
    this.#context = context;
    this.#credentials = credentials;
    this.#observed = observed;
  }

  /** The answer, whatever its status. @throws AUTH_REQUIRED without a credential, ZONE_UNREACHABLE where it is to wait, or why there is no answer */
  async read(request: SentRequest, zone: Zone, read: Read, sight: Sight = { fault: 'none' }): Promise<HttpResponse> {
    const attachment = await this.#credentials.attach(request, zone);
    if (attachment === undefined) {
      throw new HoldfastError('AUTH_REQUIRED', 'no credential to read with', { id: request.id, zone: zone.name });
    }
    const { clock } = this.#context;
    const startedAt = clock.monotonicNow();
    if (sight.canWait === true && !zone.gates.isInPace(startedAt)) {
      sight.fault = 'paced';
      throw new HoldfastError('ZONE_UNREACHABLE', 'the rate of the zone is used up', {
        zone: zone.name,
        reason: 'limited',
      });
    }
    const ticket = zone.gates.began(startedAt);
    const result = await this.#context.transport.send({
      origin: zone.policy.origin,
      method: read.method,
      path: read.path,
      headers: [['accept', 'application/json'], ...(read.headers ?? []), ...attachment.secret.headers],
      body: read.body ?? null,
      timeoutMs: this.#context.config.attemptTimeoutMs,
    });
    const fault = faultOf(result);
    const endedAt = clock.monotonicNow();
    const shown = fault === 'none' ? 'success' : 'failure';
    zone.gates.met(ticket, { requestId: request.id, shown, durationMs: endedAt - startedAt }, endedAt);
    if (fault !== 'none') sight.fault = fault;
    if (result.phase !== 'answered') {
      this.#observed(zone, evidenceOf(result), result.error);
      throw result.error;
    }
    if (fault === 'none') this.#observed(zone, 'reachable', null);
    if (result.bodyError !== undefined) throw result.bodyError;
    return result.response;
  }
}

/** What the read says of its zone; a read that was sent and not answered is the zone's fault too. */
function faultOf(result: TransportResult): Sight['fault'] {
  if (result.phase === 'notSent') return 'notSent';
  if (result.phase === 'sent') return 'zone';
  const { fault } = statusVerdict(result.response.status, { method: 'GET', effect: 'read' }, false);
  return fault === 'zone' ? 'zone' : 'none';
}
