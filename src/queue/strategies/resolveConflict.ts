import type { Json } from '../types/request.ts';
import type { Conflict, ConflictRules, ConflictStrategy, Equals, MergeOptions, Resolution } from './conflict.ts';
import { MAX_ROUNDS } from './conflict.ts';
import { deepEqual } from './deepEqual.ts';
import { laterOf } from './instant.ts';
import { valueNamed } from './jsonPointer.ts';
import type { JsonObject } from './jsonValue.ts';
import { assertJson, assertNow, fieldOf, isJsonObject } from './jsonValue.ts';
import { mergeFields, showsField } from './merge.ts';

/** What a conflict came to, and who decided. */
export interface ResolvedConflict {
  readonly resolution: Resolution;
  /**
   * The strategy that decided, `custom` for a function; or the rule before all strategies: `equal`, `unchanged`, `rounds`, `gone`,
   * `deleteWins`.
   */
  readonly strategy: string;
  /** What a function of the user's threw, or why its answer could not be used; then the write is held. */
  readonly error?: unknown;
}

const ACCEPT_REMOTE: Resolution = Object.freeze({ action: 'acceptRemote' });
const RESEND: Resolution = Object.freeze({ action: 'resend' });
const NOOP: Resolution = Object.freeze({ action: 'noop' });
const HOLD: Resolution = Object.freeze({ action: 'hold' });
const REJECT: Resolution = Object.freeze({ action: 'reject' });

/**
 * What becomes of a conflict. What the server shows already needs no strategy, and what it never changed no decision; after
 * {@link MAX_ROUNDS} conflicts a person decides, so that two writers cannot chase each other for ever. A relative change is sent again only as a
 * function computed it anew: the one that was sent may stand on what is no more.
 */
export function resolveConflict(conflict: Conflict, rules: ConflictRules): ResolvedConflict {
  const strategy = rules.onConflict ?? (isJsonObject(conflict.base) ? 'merge' : 'manual');
  try {
    return byRule(conflict, rules, strategy) ?? byStrategy(conflict, rules, strategy);
  } catch (error) {
    return { resolution: HOLD, strategy: nameOf(strategy), error };
  }
}

function byRule(conflict: Conflict, rules: ConflictRules, strategy: ConflictStrategy): ResolvedConflict | undefined {
  if (isShown(conflict, rules.equals)) return { resolution: NOOP, strategy: 'equal' };
  if (strategy === 'fail') return undefined;
  if (conflict.round > MAX_ROUNDS) return { resolution: HOLD, strategy: 'rounds' };
  if (conflict.trigger === 'gone') {
    const isAsked = rules.onGone === undefined && typeof strategy === 'function';
    return isAsked ? undefined : { resolution: whenGone(conflict, rules.onGone), strategy: 'gone' };
  }
  const { method, trigger, base, remoteChanged } = conflict;
  const isUnchanged = isJsonObject(base) && remoteChanged.length === 0;
  if (isUnchanged && (trigger === 'required' || method === 'DELETE')) {
    return { resolution: RESEND, strategy: 'unchanged' };
  }
  if (method === 'DELETE' && rules.deleteWins === true) return { resolution: RESEND, strategy: 'deleteWins' };
  return undefined;
}

/** The server has what was meant; of a relative change and of an action it cannot be told. */
function isShown(conflict: Conflict, equals: Equals | undefined): boolean {
  const { trigger, method, effect, local, remote, changed } = conflict;
  if (method === 'DELETE') return trigger === 'gone';
  if (trigger === 'gone' || local === null || effect === 'relative') return false;
  if (effect === 'action' && method !== 'PUT' && method !== 'PATCH') return false;
  if (!isJsonObject(local)) return method !== 'PATCH' && deepEqual(local, remote);
  if (!isJsonObject(remote)) return false;
  if (changed.length === 0 && method !== 'PATCH' && !showsRemovals(conflict, local, remote)) return false;
  return changed.every((field) => showsField(method, field, fieldOf(local, field), fieldOf(remote, field), equals));
}

/** What the base has and the whole that was sent has not is not there either. */
function showsRemovals({ base }: Conflict, local: JsonObject, remote: JsonObject): boolean {
  const before = isJsonObject(base) ? base : remote;
  return Object.keys(before).every((field) => Object.hasOwn(local, field) || !Object.hasOwn(remote, field));
}

function whenGone({ method }: Conflict, onGone: ConflictRules['onGone']): Resolution {
  if (onGone === 'drop') return ACCEPT_REMOTE;
  return onGone === 'recreate' && method === 'PUT' ? RESEND : HOLD;
}

function byStrategy(conflict: Conflict, rules: ConflictRules, strategy: ConflictStrategy): ResolvedConflict {
  const resolution = chosen(conflict, rules, strategy);
  const isComputed = typeof strategy === 'function' || (typeof strategy === 'object' && 'reapply' in strategy);
  const isStale = conflict.effect === 'relative' && resolution.action === 'resend' && !isComputed;
  return { resolution: isStale ? HOLD : resolution, strategy: nameOf(strategy) };
}

function chosen(conflict: Conflict, rules: ConflictRules, strategy: ConflictStrategy): Resolution {
  if (typeof strategy === 'function') return checked(strategy(conflict));
  if (typeof strategy === 'object') {
    if ('merge' in strategy) return merged(conflict, rules, strategy.merge);
    return 'lww' in strategy ? lastWriter(conflict, strategy.lww) : reapplied(conflict, strategy.reapply);
  }
  switch (strategy) {
    case 'server-wins':
      return ACCEPT_REMOTE;
    case 'client-wins':
      return sentAgain(conflict);
    case 'merge':
      return merged(conflict, rules, {});
    case 'manual':
      return HOLD;
    case 'fail':
      return REJECT;
    default:
      return strategy satisfies never;
  }
}

/** The change on top of the server's version. What exists cannot be created, whoever wins. */
function sentAgain({ trigger, method, local, changed }: Conflict): Resolution {
  if (trigger === 'exists' && method === 'POST') return HOLD;
  if (method !== 'PATCH' || !isJsonObject(local) || changed.length === Object.keys(local).length) return RESEND;
  return { action: 'resend', body: Object.fromEntries(changed.map((field) => [field, fieldOf(local, field)])) };
}

function merged(conflict: Conflict, { equals }: ConflictRules, options: MergeOptions): Resolution {
  const { method, base, local, remote } = conflict;
  if (method !== 'PUT' && method !== 'PATCH') return HOLD;
  if (!isJsonObject(base) || !isJsonObject(local) || !isJsonObject(remote)) return HOLD;
  const { open, isNeeded, gaveWay, body } = mergeFields(conflict, { base, local, remote }, options, equals);
  if (open.length > 0) return HOLD;
  if (!isNeeded) return gaveWay ? ACCEPT_REMOTE : NOOP;
  return body === undefined ? RESEND : { action: 'resend', body };
}

function lastWriter(conflict: Conflict, field: string): Resolution {
  const { local, remote } = conflict;
  if (!isJsonObject(local)) return HOLD;
  switch (laterOf(valueNamed(local, field), valueNamed(remote, field))) {
    case 'local':
      return sentAgain(conflict);
    case 'remote':
      return ACCEPT_REMOTE;
    case undefined:
      return HOLD;
  }
}

function reapplied(conflict: Conflict, reapply: (remote: Json, conflict: Conflict) => Json | undefined): Resolution {
  if (conflict.method === 'DELETE') return HOLD;
  const body: unknown = reapply(conflict.remote, conflict);
  if (body === undefined) return HOLD;
  assertJson(body, 'what the change was reapplied to');
  return { action: 'resend', body };
}

const ACTIONS: ReadonlySet<unknown> = new Set<Resolution['action']>([
  'acceptRemote',
  'resend',
  'noop',
  'hold',
  'reject',
]);

/** What a strategy of the user's answers, if it is an answer. */
function checked(answer: Resolution): Resolution {
  assertNow(answer, 'what became of the conflict');
  if (!ACTIONS.has(answer?.action)) throw new TypeError('what became of the conflict is no resolution');
  if (answer.action === 'resend' && answer.body !== undefined) assertJson(answer.body, 'the body to resend');
  return answer;
}

function nameOf(strategy: ConflictStrategy): string {
  if (typeof strategy === 'string') return strategy;
  if (typeof strategy === 'function') return 'custom';
  return 'merge' in strategy ? 'merge' : 'lww' in strategy ? 'lww' : 'reapply';
}
