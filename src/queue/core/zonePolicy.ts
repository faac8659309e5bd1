import { ZONE_DEFAULTS } from './config/defaults.ts';
import type { ResolvedConfiguration, ResolvedZone } from './config/types.ts';

/** The settings of one zone, with its name and the origin its calls are sent to. */
export interface ZonePolicy extends ResolvedZone {
  readonly name: string;
  readonly origin: string;
}

/** Settings of a zone of the configuration. */
export function namedZonePolicy(config: ResolvedConfiguration, name: string): ZonePolicy {
  const zone = config.zones[name];
  const origin = zone?.origins[0];
  if (zone === undefined || origin === undefined) throw new Error(`zone "${name}" is not in the configuration`);
  return { ...zone, name, origin };
}

/** Settings of a zone made from an origin: all defaults. */
export function originZonePolicy(origin: string): ZonePolicy {
  return {
    ...ZONE_DEFAULTS,
    name: origin,
    origin,
    origins: [origin],
  };
}
