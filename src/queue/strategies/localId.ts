import type { Problem } from '../../errors.ts';
import type { Body, HeaderList, Json, Reference, RequestContent } from '../types/request.ts';
import { headerValue } from './headerValue.ts';
import { jsonOf, textOf } from './json.ts';

/**
 * A local id: `local.<type>.<uuid>`, a text that stands for an id the server will give. Every character may stand as it is in a path, a query,
 * a form and JSON, so that a token that was handed to a caller comes back unchanged wherever it was put. The UUID is the id of the
 * request that gets the server id: who refers to it names its predecessor by that alone.
 */
const TOKEN =
  /local\.([A-Za-z][A-Za-z0-9_-]{0,39})\.([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})/;
const TOKENS = new RegExp(TOKEN, 'g');
const WHOLE = new RegExp(`^${TOKEN.source}$`);
/** What every token begins with: nearly all contents are told by its absence. */
const MARK = 'local.';
const TYPE = /^[A-Za-z][A-Za-z0-9_-]{0,39}$/;

/** What a local id tells by itself. */
export interface LocalIdParts {
  readonly type: string;
  /** Id of the request whose result gives the server id. */
  readonly requestId: string;
}

/** A local id of a type; undefined where `type` is none: a letter, then up to 39 letters, digits, `_` and `-`. */
export function makeLocalId(type: string, requestId: string): string | undefined {
  return typeof type === 'string' && TYPE.test(type) ? `${MARK}${type}.${requestId}` : undefined;
}

/** The parts of a local id; undefined for anything else. */
export function parseLocalId(text: unknown): LocalIdParts | undefined {
  const match = typeof text === 'string' ? WHOLE.exec(text) : null;
  if (match === null) return undefined;
  return { type: match[1] as string, requestId: match[2] as string }; // both groups matched
}

/** Whether anything in it may be a local id: a look at the text, so that others cost no more. */
export function mayRefer(path: string, body: Body): boolean {
  if (path.includes(MARK)) return true;
  if (body === null) return false;
  if (typeof body === 'string') return body.includes(MARK);
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(MARK);
}

/**
 * Where local ids stand in a content: typed pointers, recorded once, at acceptance. In a JSON body only whole strings count; a local id
 * anywhere else in a body is a problem rather than a text that would be sent as it is.
 */
export function referencesIn(
  content: Pick<RequestContent, 'path' | 'headers' | 'body'>,
  problems: Problem[],
): Reference[] {
  const found: Reference[] = [];
  const query = content.path.indexOf('?');
  const end = query === -1 ? content.path.length : query;
  addFrom(content.path.slice(0, end), '/path', found);
  addFrom(content.path.slice(end), '/query', found);
  const text = textOf(content.body);
  if (text !== undefined && TOKEN.test(text)) addFromBody(text, content.headers, found, problems);
  return found;
}

function addFrom(text: string, at: string, found: Reference[]): void {
  for (const [localId] of text.matchAll(TOKENS)) found.push({ at, localId });
}

function addFromBody(text: string, headers: HeaderList, found: Reference[], problems: Problem[]): void {
  const type = headerValue(headers, 'content-type') ?? '';
  const parsed = /[/+]json\s*(?:;|$)/i.test(type) ? jsonOf(text) : undefined;
  const inBody: Reference[] = [];
  if (parsed !== undefined) walk(parsed, '/body', inBody);
  const count = [...text.matchAll(TOKENS)].length;
  if (count !== inBody.length) {
    const expected = 'local ids as whole string values of a JSON body';
    problems.push({
      path: 'body',
      expected,
      got: parsed === undefined ? 'one in another body' : 'one in another place',
    });
    return;
  }
  found.push(...inBody);
}

function walk(value: Json, at: string, found: Reference[]): void {
  if (typeof value === 'string') {
    if (WHOLE.test(value)) found.push({ at, localId: value });
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      walk(inner as Json, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, found); // own values of JSON
    }
  }
}

/**
 * The content with server ids in the place of local ones. Those without a server id stay; a content that has none left is given back
 * as it is. The same ids give the same bytes, whenever it is done.
 */
export function materialise(
  content: RequestContent,
  refs: readonly Reference[],
  serverIds: ReadonlyMap<string, string | number>,
): RequestContent {
  let { path, body } = content;
  for (const { at, localId } of refs) {
    const serverId = serverIds.get(localId);
    if (serverId === undefined) continue;
    if (at === '/path' || at === '/query') path = path.replaceAll(localId, encodeURIComponent(String(serverId)));
    else body = inBody(body, localId, serverId);
  }
  return path === content.path && body === content.body ? content : { ...content, path, body };
}

/** The value is a whole JSON string, so that its quoted text is found as it is, and a number takes the place of the quotes too. */
function inBody(body: Body, localId: string, serverId: string | number): Body {
  const text = textOf(body);
  if (text === undefined) return body;
  const changed = text.replaceAll(`"${localId}"`, JSON.stringify(serverId));
  if (changed === text) return body;
  return typeof body === 'string' ? changed : new Uint8Array(Buffer.from(changed, 'utf8'));
}

/** The last local id in the path of a content: whose entity it is about. Undefined without one. */
export function entityOf(path: string): string | undefined {
  const query = path.indexOf('?');
  return [...(query === -1 ? path : path.slice(0, query)).matchAll(TOKENS)].at(-1)?.[0];
}
