import type { HeaderList, HttpResponse, StoredRequest } from '../types/request.ts';
import { headerValue } from './headerValue.ts';

/** By what answers of a zone are told from those of whoever stands in its place. */
export interface Expectation {
  /** Content types, lower-case, of which every answer with a body has one; null: any. */
  readonly contentTypes: readonly string[] | null;
  /** A header that every answer has, in lower case; with null any value will do. */
  readonly header: { readonly name: string; readonly value: string | null } | null;
}

const JSON_TYPE = /[/+]json\s*(?:;|$)/i;
const HTML_TYPE = /^\s*text\/html\s*(?:;|$)/i;

/**
 * Whether an answer is the zone's own: on plain http a sign-in page that answers for everybody is a success by its status, and a
 * redirect to it leads off the zone. Where nothing was declared that is all that is looked at, as certificates tell on https. What a call
 * of `fetch` is given is its caller's to judge, unless something was declared.
 */
export function isAuthentic(
  request: Pick<StoredRequest, 'content'>,
  response: HttpResponse,
  zone: { readonly origin: string; readonly origins: readonly string[]; readonly expect: Expectation | undefined },
): boolean {
  const { expect } = zone;
  if (expect !== undefined && !isExpected(response, expect)) return false;
  if (!zone.origin.startsWith('http://') || request.content.fetch !== undefined) return true;
  if (response.status >= 300 && response.status < 400) return !leadsOff(response.headers, zone);
  const isPage = response.status < 300 && HTML_TYPE.test(headerValue(response.headers, 'content-type') ?? '');
  return !(isPage && speaksJson(request.content.headers));
}

function isExpected({ headers, body }: HttpResponse, { contentTypes, header }: Expectation): boolean {
  if (header !== null) {
    const value = headerValue(headers, header.name);
    if (value === undefined || (header.value !== null && value.toLowerCase() !== header.value)) return false;
  }
  if (contentTypes === null || body.byteLength === 0) return true;
  const type = (headerValue(headers, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return contentTypes.includes(type);
}

/** What it sends or accepts is JSON: a page is no answer to that. */
function speaksJson(headers: HeaderList): boolean {
  const accepted = headerValue(headers, 'accept');
  if (accepted !== undefined) return JSON_TYPE.test(accepted) && !/text\/html/i.test(accepted);
  return JSON_TYPE.test(headerValue(headers, 'content-type') ?? '');
}

function leadsOff(
  headers: HeaderList,
  zone: { readonly origin: string; readonly origins: readonly string[] },
): boolean {
  const location = headerValue(headers, 'location');
  if (location === undefined || !URL.canParse(location, zone.origin)) return false;
  const { origin } = new URL(location, zone.origin);
  return origin !== zone.origin && !zone.origins.includes(origin);
}
