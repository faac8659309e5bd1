import type { HeaderRules } from '../strategies/headers.ts';
import { createHeaderRules } from '../strategies/headers.ts';
import type { AdmissionRules } from './admit.ts';
import { partsOf } from './gates/channelName.ts';
import type { Identities } from './identify.ts';
import type { Resources } from './resources.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** What admission goes by in one queue. */
export function admissionRules(
  identities: Identities,
  hash: (data: string | Uint8Array) => string,
  resources: Resources,
  zones: Zones,
): AdmissionRules {
  const byZone = new WeakMap<Zone, HeaderRules>();
  return {
    identities,
    hash,
    resources,
    channelOf: (zone, request) => zones.channel(zone, partsOf(zone.policy, request)),
    headersOf(zone) {
      const known = byZone.get(zone);
      if (known !== undefined) return known;
      const rules = createHeaderRules(new Set(zone.policy.secretHeaders), zone.policy.idempotency?.header);
      byZone.set(zone, rules);
      return rules;
    },
  };
}
