import type { HeaderRules } from '../strategies/headers.ts';
import { createHeaderRules } from '../strategies/headers.ts';
import type { AdmissionRules } from './admit.ts';
import type { Adapters } from './batching/Adapters.ts';
import { adapterFor } from './batching/membership.ts';
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
  adapters: Adapters,
): AdmissionRules {
  const byZone = new WeakMap<Zone, HeaderRules>();
  return {
    identities,
    hash,
    resources,
    channelOf(zone, request) {
      const parts = partsOf(zone.policy, request);
      if (zone.policy.batch.length === 0) return zones.channel(zone, parts);
      const adapter = adapterFor(adapters.of(zone.policy), zone.policy, request);
      return zones.channel(zone, adapter === undefined ? parts : { ...parts, adapter: adapter.name });
    },
    headersOf(zone) {
      const known = byZone.get(zone);
      if (known !== undefined) return known;
      const rules = createHeaderRules(new Set(zone.policy.secretHeaders), zone.policy.idempotency?.header);
      byZone.set(zone, rules);
      return rules;
    },
  };
}
