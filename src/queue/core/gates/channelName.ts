import { percentDecoded } from '../../strategies/percentDecoded.ts';
import type { Effect, RequestContent } from '../../types/request.ts';
import type { OperationClass } from '../config/types.ts';
import type { ZonePolicy } from '../zonePolicy.ts';

/** What a channel is of its zone: an endpoint, a class of operations, what an adapter can batch of these, or all that is none of it. */
export interface ChannelParts {
  readonly endpoint: string | null;
  readonly operation: OperationClass | null;
  /** Name of the batch adapter that takes its requests; null: they go singly. */
  readonly adapter: string | null;
}

const WHOLE: ChannelParts = Object.freeze({ endpoint: null, operation: null, adapter: null });
/** Longer names of endpoints are no names. */
const MAX_NAME = 200;
/** Priority up to which a request is of the class `bulk`. */
const BULK_PRIORITY = 2;

/** Kind of operation, for timeouts and limits by class. */
export function operationOf(request: { readonly effect: Effect; readonly priority: number }): OperationClass {
  if (request.priority <= BULK_PRIORITY) return 'bulk';
  return request.effect === 'read' ? 'read' : 'write';
}

/** Which channel of its zone a request goes through. What the zone's rule throws, or says that is no name, leaves it to the zone. */
export function partsOf(
  policy: ZonePolicy,
  request: { readonly content: RequestContent; readonly effect: Effect; readonly priority: number },
): ChannelParts {
  const { endpoint, classes } = policy;
  if (endpoint === undefined && classes === undefined) return WHOLE;
  const operation = operationOf(request);
  return {
    endpoint: endpoint === undefined ? null : nameOf(endpoint.of, request.content),
    operation: classes?.[operation] === undefined ? null : operation,
    adapter: null,
  };
}

function nameOf(of: (request: RequestContent) => unknown, content: RequestContent): string | null {
  try {
    const name = of(content);
    // Nobody waits for it, so its failure would end the process.
    if (name instanceof Promise) name.catch(() => undefined);
    return typeof name === 'string' && name !== '' && name.length <= MAX_NAME ? name : null;
  } catch {
    return null;
  }
}

/** `zone`, `zone#endpoint`, `zone~class` or `zone#endpoint~class`, each with `|adapter` where that batches it; stored with the request. */
export function channelName(zone: string, { endpoint, operation, adapter }: ChannelParts): string {
  if (endpoint === null && operation === null && adapter === null) return zone;
  const first = endpoint === null ? zone : `${zone}#${encoded(endpoint)}`;
  const second = operation === null ? first : `${first}~${operation}`;
  return adapter === null ? second : `${second}|${adapter}`;
}

const SUFFIX = /^(?:#([^#~|!]+))?(?:~(read|write|bulk))?(?:\|([A-Za-z0-9_-]+))?(?:!(critical|low|bulk))?$/;

/** What a stored name says of its channel, and of the tier of it. */
export function readChannelName(zone: string, name: string): ChannelParts & { readonly tier: Tier } {
  const match = name.startsWith(zone) ? SUFFIX.exec(name.slice(zone.length)) : null;
  if (match === null) return { ...WHOLE, tier: 'main' };
  const [, endpoint, operation, adapter, tier] = match;
  return {
    endpoint: endpoint === undefined ? null : (percentDecoded(endpoint) ?? endpoint),
    operation: (operation as OperationClass | undefined) ?? null, // the pattern has no others
    adapter: adapter ?? null,
    tier: (tier as Tier | undefined) ?? 'main', // nor here
  };
}

/**
 * Parts of a channel by priority: what leaves room for others (`low`, `bulk`), what is sent when nothing else is (`critical`), and all between. They
 * are stored apart and claimed together, in one order.
 */
export type Tier = 'critical' | 'main' | 'low' | 'bulk';

export const TIERS: readonly Tier[] = ['critical', 'main', 'low', 'bulk'];

export function tierOf(priority: number): Tier {
  if (priority <= 2) return 'bulk';
  if (priority <= 4) return 'low';
  return priority === 10 ? 'critical' : 'main';
}

/** The name that requests of a tier of a channel are stored under. */
export function tierName(channel: string, tier: Tier): string {
  return tier === 'main' ? channel : `${channel}!${tier}`;
}

/** The name of the channel that a stored name is of a tier of. */
export function untiered(name: string): string {
  return name.replace(/!(?:critical|low|bulk)$/, '');
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!~]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
}
