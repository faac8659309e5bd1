import type { ErrorCode } from '../../../errors.ts';
import { HoldfastError } from '../../../errors.ts';

/** What an error of the server means for the call that got it. */
export type Verdict =
  /** It may work again by itself: the call waits for that until its time is up. */
  | { readonly verdict: 'wait' }
  /** This server does not write, another one may: look for it. */
  | { readonly verdict: 'elsewhere' }
  /** It has forgotten the script. */
  | { readonly verdict: 'unknownScript' }
  | { readonly verdict: 'fail'; readonly code: ErrorCode; readonly advice: string };

const WRONG_PASSWORD: Verdict = {
  verdict: 'fail',
  code: 'BACKEND_REFUSED',
  advice: 'Redis refuses the user name or password.',
};
const NO_PERMISSION: Verdict = {
  verdict: 'fail',
  code: 'BACKEND_REFUSED',
  advice: 'The user may not do this on Redis.',
};
const WAIT = { verdict: 'wait' } as const;
const ELSEWHERE = { verdict: 'elsewhere' } as const;

/** By the first word of the server's message. */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  NOSCRIPT: { verdict: 'unknownScript' },
  LOADING: WAIT,
  BUSY: WAIT,
  TRYAGAIN: WAIT,
  // Of the script itself: a call before it has to be made first, or it came on a connection that was given up.
  GAP: WAIT,
  STALE: WAIT,
  CLUSTERDOWN: WAIT,
  MASTERDOWN: ELSEWHERE,
  READONLY: ELSEWHERE,
  MISCONF: {
    verdict: 'fail',
    code: 'STORAGE_FULL',
    advice:
      'Redis cannot save to its disk and takes no writes, not even the ends of what is under way; what is stored is intact.',
  },
  OOM: {
    verdict: 'fail',
    code: 'STORAGE_FULL',
    advice: 'Redis has reached its maxmemory; what is stored is intact, and requests under way can still be settled.',
  },
  NOREPLICAS: { verdict: 'fail', code: 'BACKEND_UNAVAILABLE', advice: 'Redis has too few replicas to take writes.' },
  NOAUTH: { verdict: 'fail', code: 'BACKEND_REFUSED', advice: 'Redis wants a password.' },
  WRONGPASS: WRONG_PASSWORD,
  NOPERM: NO_PERMISSION,
};

/** Judges what the server answered instead of a result; undefined where it is no answer of a server. */
export function judge(error: unknown): Verdict | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  const [word = ''] = error.message.split(' ', 1);
  const known = VERDICTS[word];
  if (known !== undefined) return known;
  if (/invalid (username-)?password|without any password/i.test(error.message)) return WRONG_PASSWORD;
  if (/max number of clients/i.test(error.message)) return WAIT;
  if (/user executing the script can't/i.test(error.message)) return NO_PERMISSION;
  return { verdict: 'fail', code: 'BACKEND_UNAVAILABLE', advice: 'Redis refused a command.' };
}

/** The same error without the command, which the library adds to its errors, and with it passwords and bodies. */
function bare(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const { name, message, stack } = cause;
  const code = 'code' in cause && typeof cause.code === 'string' ? { code: cause.code } : {};
  return Object.assign(new Error(message), { name, stack }, code);
}

export function failure(code: ErrorCode, advice: string, where: string, cause: unknown): HoldfastError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError(
    code,
    `${advice} (${where}: ${reason})`,
    { server: where, reason, mayBeDone: false },
    { cause: bare(cause) },
  );
}

/**
 * The call was not answered in time. `mayBeDone`: it had been sent, so it may have taken effect all the same.
 */
export function unanswered(where: string, verb: string, mayBeDone: boolean, cause: unknown): HoldfastError {
  const reason = cause instanceof Error ? cause.message : 'no answer';
  return new HoldfastError(
    'BACKEND_UNAVAILABLE',
    `Redis did not answer in time (${where}, ${verb}: ${reason}).`,
    { server: where, verb, reason, mayBeDone },
    cause === undefined ? undefined : { cause: bare(cause) },
  );
}
