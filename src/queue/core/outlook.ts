import type { IdempotencyDialect } from '../strategies/dialects.ts';
import { mayResend } from '../strategies/resend.ts';
import type { StoredRequest } from '../types/request.ts';
import type { Context } from './context.ts';
import { probeFor } from './probes.ts';
import { isKeyed, resendRules } from './resendRules.ts';
import type { ResourceRules, Resources } from './resources.ts';
import { handlesConflicts } from './resources.ts';
import { versionOf } from './versions.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** What would become of a request after the answers it may meet next. */
export interface Outlook {
  /** Sent, and no answer came. */
  readonly unanswered: 'sentAgain' | 'probed' | 'held' | 'dropped';
  /** The server has another version of it (412, 409, 404 on a change). */
  readonly conflict: 'reconciled' | 'held';
  /** The server refused it for good. */
  readonly rejected: 'dead' | 'deadWithItsLane' | 'deadAndLaneHalts';
  /** Epoch ms until which the server can be counted on to know its key; null where it has none that counts, or was never sent. */
  readonly keyUntil: number | null;
  /** It is of a resource with versions, and yet the server will not refuse it on another one: none is known, or it is compared before it is sent, which keeps nobody from writing between the two. */
  readonly isWindowOpen: boolean;
}

const TRUSTED_SHARE = 0.8;

/** What would become of a request next; null where its zone is not known here. */
export function nextOf(
  request: StoredRequest,
  { context, zones, resources }: { readonly context: Context; readonly zones: Zones; readonly resources: Resources },
): Outlook | null {
  const zone = zones.named(request.zone);
  if (zone === undefined) return null;
  const rules = resources.of(request);
  const hasProbe = probeFor(request, zone.policy, rules) !== undefined;
  const { clock, config } = context;
  const now = clock.now();
  // As if it were sent now, and not answered.
  const sent = { ...request, firstSentAt: request.firstSentAt ?? now };
  const isResendable = mayResend({ request: sent, ...resendRules(request, zone, config, hasProbe) }, now);
  return outlookOf(request, zone, rules, { hasProbe, mayResend: isResendable });
}

function outlookOf(
  request: StoredRequest,
  zone: Zone,
  rules: ResourceRules | undefined,
  facts: { readonly hasProbe: boolean; readonly mayResend: boolean },
): Outlook {
  const { idempotency } = zone.policy;
  return {
    unanswered: facts.mayResend
      ? 'sentAgain'
      : facts.hasProbe
        ? 'probed'
        : request.intent?.onUnknown === 'drop'
          ? 'dropped'
          : 'held',
    conflict: handlesConflicts(rules) ? 'reconciled' : 'held',
    rejected:
      request.onFailure === 'cascade' ? 'deadWithItsLane' : request.onFailure === 'halt' ? 'deadAndLaneHalts' : 'dead',
    keyUntil: isKeyed(request, zone) && request.effect !== 'read' ? keyUntil(request, idempotency) : null,
    isWindowOpen: rules?.version !== undefined && !isConditional(request, rules),
  };
}

/** The server itself compares the version, or nothing is changed. */
function isConditional(request: StoredRequest, rules: ResourceRules): boolean {
  const isChange = request.effect !== 'read' && request.content.method !== 'POST';
  return rules.version === 'etag' && (!isChange || versionOf(request, rules) !== null);
}

function keyUntil({ firstSentAt, progress }: StoredRequest, dialect: IdempotencyDialect | undefined): number | null {
  if (firstSentAt === null || progress.isKeySpent === true || dialect?.ttlMs == null) return null;
  return (progress.keyedAt ?? firstSentAt) + TRUSTED_SHARE * dialect.ttlMs;
}
