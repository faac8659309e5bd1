import { HoldfastError } from '../../errors.ts';

/** What a call gets that came after `close`. */
export function closedError(name: string): HoldfastError<'QUEUE_CLOSED'> {
  return new HoldfastError('QUEUE_CLOSED', `queue "${name}" is closed; the call was not accepted`, { accepted: false });
}
