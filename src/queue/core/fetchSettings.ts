import type { RequestOptions } from '../types/calls.ts';
import type { FetchOptions, FetchSettings } from '../types/fetch.ts';
import type { ResolvedConfiguration, ResolvedRule } from './config/types.ts';
import type { Zone } from './zone.ts';

/** Settings of `fetch`, by name. */
export const SETTINGS = [
  'respond',
  'offline',
  'mode',
  'honorPrefer',
  'noRetryHeaders',
] as const satisfies (keyof FetchSettings)[];

/** What of the options concerns the request itself. */
export function requestPart(options: FetchOptions): RequestOptions {
  const { respond, offline, mode, honorPrefer, noRetryHeaders, attemptTimeoutMs, ...request } = options;
  return request;
}

/** The first rule of a zone that fits a call. */
export function ruleFor(rules: readonly ResolvedRule[], method: string, path: string): ResolvedRule | undefined {
  if (rules.length === 0) return undefined;
  const query = path.indexOf('?');
  const bare = query === -1 ? path : path.slice(0, query);
  return rules.find((rule) => (rule.method === null || rule.method === method) && rule.path.test(bare));
}

/** Settings of the configuration under those of a zone under those of a rule. */
export class FetchSettingsTable {
  readonly #config: ResolvedConfiguration;
  readonly #byZone = new WeakMap<Zone, FetchOptions>();

  constructor(config: ResolvedConfiguration) {
    this.#config = config;
  }

  /** Without a zone, those of the configuration. */
  of(zone: Zone | undefined, method: string, path: string): FetchOptions {
    if (zone === undefined) return picked(this.#config);
    let own = this.#byZone.get(zone);
    if (own === undefined) {
      own = { ...picked(this.#config), ...picked(zone.policy) };
      this.#byZone.set(zone, own);
    }
    const rule = ruleFor(zone.policy.rules, method, path);
    return rule === undefined ? own : { ...own, ...rule.options };
  }
}

function picked(from: FetchSettings): FetchOptions {
  const settings: Record<string, unknown> = {};
  for (const name of SETTINGS) if (from[name] !== undefined) settings[name] = from[name];
  return settings;
}
