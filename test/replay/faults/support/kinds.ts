import { ApiClient } from '../../../../src/client/ApiClient.ts';
import type { Resource } from '../../../../src/client/Resource.ts';
import type { QueueManager } from '../../../../src/queue/core/QueueManager.ts';
import type { RequestOptions } from '../../../../src/queue/types/calls.ts';
import type { Json } from '../../../../src/queue/types/request.ts';
import type { Site } from './Site.ts';

/** A class of writes by what makes a resend of them safe. */
export interface Kind {
  readonly name: string;
  /** Of the API that knows requests by a key, or of the one that does not. */
  readonly zone: 'bare' | 'keyed';
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly [key: string]: Json } | undefined;
  readonly options: RequestOptions;
}

export const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' };
const PLAIN = { zone: 'bare', headers: {}, options: {} } as const;

export const BARE: Kind = { ...PLAIN, name: 'bare POST', method: 'POST', path: '/notes', body: { n: 1 } };
export const KEYED: Kind = { ...BARE, name: 'keyed POST', zone: 'keyed' };
export const STAMPED: Kind = {
  ...PLAIN,
  name: 'stamped POST',
  method: 'POST',
  path: '/orders',
  body: { n: 1 },
};
export const PUT: Kind = { ...PLAIN, name: 'PUT', method: 'PUT', path: '/things/7', body: { n: 1 } };
export const DELETE: Kind = { ...PLAIN, name: 'DELETE', method: 'DELETE', path: '/things/8', body: undefined };
export const CONDITIONAL: Kind = {
  ...PLAIN,
  name: 'conditional PATCH',
  method: 'PATCH',
  path: '/things/9',
  headers: { ...MERGE_PATCH, 'if-match': '"v1"' },
  body: { n: 1 },
};

/** What an API has of which things are known by the id of the request that made them. */
export const ORDERS = { client: 'shop', name: 'order', field: 'ref', path: STAMPED.path } as const;

/** The orders of an API, by its client. Who goes on with what another process left has them too. */
export function ordersOf(queue: QueueManager, baseUrl: string): Resource {
  const { client, name, field, path } = ORDERS;
  const list = (_: unknown, stamp: string): string => `${path}?${field}=${stamp}`;
  return new ApiClient({ queue, baseUrl, name: client }).resource(name, { path, stamp: { field, path: list } });
}

/** The two APIs, with the things that are changed and removed. */
export interface Sites {
  readonly bare: Site;
  readonly keyed: Site;
}

export function zonesOf(origins: { readonly bare: string; readonly keyed: string }) {
  return { bare: { origins: [origins.bare] }, keyed: { origins: [origins.keyed], idempotency: 'stripe' as const } };
}

export function furnish({ bare }: Sites): void {
  for (const id of [7, 8, 9]) bare.api.edit(`/things/${id}`, { m: 0 });
}

/** Has it accepted, and gives its id. */
export async function send(
  queue: QueueManager,
  kind: Kind,
  origins: Readonly<Record<Kind['zone'], string>>,
  orders: Resource,
): Promise<string> {
  const isStamped = kind.path === ORDERS.path;
  const { id } = await (isStamped
    ? orders.create(kind.body).accepted()
    : queue.enqueue(inputOf(kind, origins), kind.options));
  return id;
}

/** What a queue is given to send. */
export function inputOf({ zone, method, path, headers, body }: Kind, origins: Readonly<Record<Kind['zone'], string>>) {
  return { method, url: `${origins[zone]}${path}`, headers, body };
}
