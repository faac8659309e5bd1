import { HoldfastError } from '../../errors.ts';
import type { NewRequest } from '../types/request.ts';
import type { EnqueueResult } from '../types/store.ts';

/** What a whole batch was refused for: the error of the one call that could not be accepted. */
export function culprit(requests: readonly NewRequest[], results: readonly EnqueueResult[]): HoldfastError | undefined {
  for (const [index, result] of results.entries()) {
    if (result.status !== 'refused' || result.why === 'neighbour') continue;
    return refusal(result, requests[index] as NewRequest); // one result each
  }
  return undefined;
}

/** Why the store did not accept a request, ready to be thrown. */
export function refusal(result: Extract<EnqueueResult, { status: 'refused' }>, request: NewRequest): HoldfastError {
  const what = `${request.content.method} ${request.content.path}`;
  switch (result.why) {
    case 'full':
      return new HoldfastError('QUEUE_FULL', `${what} was not accepted: ${result.detail}`, { zone: request.zone });
    case 'keyConflict':
      return new HoldfastError('KEY_CONFLICT', `${what} was not accepted: ${result.detail}`, {
        key: request.key ?? '',
      });
    case 'away':
      return new HoldfastError('BACKEND_UNAVAILABLE', `${what} was not accepted: ${result.detail}`, {
        zone: request.zone,
        mayBeDone: true,
      });
    case 'fired':
      return new HoldfastError('SCHEDULE_CHANGED', `${what} was not accepted: ${result.detail}`, {
        zone: request.zone,
      });
    case 'dependency':
    case 'neighbour':
    case 'replaced':
      return new HoldfastError('REQUEST_INVALID', `${what} was not accepted: ${result.detail}`, {
        problems: [
          {
            path: result.why === 'dependency' ? 'after' : 'batch',
            expected: 'acceptable requests',
            got: result.detail,
          },
        ],
      });
  }
}
