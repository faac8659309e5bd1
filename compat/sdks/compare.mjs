// Makes results, errors and logs of two runs comparable, and tells where they differ.

/** Of a request, they name the try or the moment and not what is asked. */
const VOLATILE_HEADERS = new Set([
  'amz-sdk-invocation-id',
  'client-request-id',
  'x-amz-date',
  'x-ms-client-request-id',
  'x-stripe-client-telemetry',
]);

/** A transport that is not `fetch` sends others of these; only cases over an adapter are spared them. */
const TRANSPORT_HEADERS = new Set([
  'accept-encoding',
  'accept-language',
  'connection',
  'sec-fetch-mode',
  'content-length',
  'transfer-encoding',
  'user-agent',
]);

/** Of an answer: the moment, and what the connection was. */
const VOLATILE_ANSWER_HEADERS = new Set(['date', 'connection', 'keep-alive']);

/** What an SDK hangs on results and errors to describe its own machinery. */
const SKIPPED_KEYS = new Set([
  'request',
  'config',
  'agent',
  'socket',
  'stack',
  'date',
  'duration',
  '$response',
  'operationInfo',
]);

/** What errors may have from their class, as accessors. */
const INHERITED = ['code', 'status', 'statusCode', 'statusText', 'data'];

const MAX_DEPTH = 9;

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const BOUNDARIES = /-{2,}(?:formdata-(?:undici|polyfill)-|form-data-boundary-|axios-)[\w-]+|\bformdata-undici-\w+/gi;

/** Ids, moments and the port, which differ between any two runs. */
export function mask(text) {
  return text
    .replace(/(127\.0\.0\.1|localhost):\d{4,5}/g, 'HOST')
    .replace(UUID, '<uuid>')
    .replace(BOUNDARIES, '<boundary>')
    .replace(/(Credential=[^/]+\/)\d{8}/, '$1<day>')
    .replace(/Signature=[0-9a-f]{64}/, 'Signature=<signature>')
    .replace(/(\n\s+at [^\n]+)+/g, '<stack>')
    .replace(/"(timestamp|date)":"[^"]*"/g, '"$1":"<moment>"');
}

/** Plain data that says what a value is, without what is volatile in it. */
export function describe(value, depth = 0, seen = new Set()) {
  if (typeof value === 'string') return mask(value);
  if (value === undefined) return '[undefined]';
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'bigint') return `[bigint ${value}]`;
  if (typeof value === 'symbol' || typeof value === 'function') return `[${typeof value}]`;
  if (seen.has(value)) return '[again]';
  if (depth > MAX_DEPTH) return '[deep]';
  const within = new Set(seen).add(value);
  const inner = (part) => describe(part, depth + 1, within);
  return describeObject(value, inner);
}

function describeObject(value, inner) {
  const name = value.constructor?.name ?? '[none]';
  if (value instanceof Date) return { $class: 'Date', iso: Number.isNaN(value.getTime()) ? null : value.toISOString() };
  if (value instanceof URL) return { $class: 'URL', href: mask(value.href) };
  if (value instanceof Headers) return { $class: 'Headers', ...answerHeaders(Object.fromEntries(value)) };
  if (value instanceof Response) return describeResponse(value, name, inner);
  if (ArrayBuffer.isView(value)) {
    return { $class: name, bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1') };
  }
  if (value instanceof ArrayBuffer) return { $class: name, bytes: Buffer.from(value).toString('latin1') };
  if (value instanceof Blob) return { $class: name, size: value.size, type: value.type };
  if (value instanceof Map) return { $class: name, entries: inner([...value]) };
  if (value instanceof Set) return { $class: name, values: inner([...value]) };
  if (Array.isArray(value)) return value.map(inner);
  if (value instanceof AbortSignal) return '[signal]';
  if (typeof value.pipe === 'function' || typeof value.getReader === 'function') return '[stream]';
  if (value instanceof Error) return describeError(value, inner);
  return { ...(name === 'Object' ? {} : { $class: name }), ...ownProperties(value, inner) };
}

/** Class, name, message and code, its own properties, and the same of its cause. */
function describeError(error, inner) {
  const classes = [];
  for (let proto = Object.getPrototypeOf(error); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (proto === Object.prototype) break;
    classes.push(proto.constructor?.name);
  }
  return {
    $error: classes.join(' < '),
    name: error.name,
    message: mask(String(error.message)),
    ...(error.cause === undefined ? {} : { cause: inner(error.cause) }),
    ...Object.fromEntries(INHERITED.filter((key) => error[key] !== undefined).map((key) => [key, inner(error[key])])),
    ...ownProperties(error, inner),
  };
}

function describeResponse(response, name, inner) {
  const { status, statusText, ok, url, redirected, type, bodyUsed, headers } = response;
  return {
    $class: name,
    status,
    statusText,
    ok,
    url: mask(url),
    redirected,
    type,
    bodyUsed,
    hasBody: response.body !== null,
    headers: inner(headers),
    ...ownProperties(response, inner),
  };
}

function ownProperties(value, inner) {
  const found = {};
  for (const key of Object.keys(value).sort()) {
    if (SKIPPED_KEYS.has(key)) continue;
    if (key === 'port' && typeof value[key] === 'number') found[key] = '<port>';
    else if (/headers$/i.test(key) && isHeaderBag(value[key])) found[key] = describeHeaderBag(value[key], inner);
    else found[key] = inner(value[key]);
  }
  return found;
}

function isHeaderBag(value) {
  return typeof value === 'object' && value !== null && !(value instanceof Headers) && !Array.isArray(value);
}

function describeHeaderBag(bag, inner) {
  const plain = typeof bag.toJSON === 'function' ? bag.toJSON() : bag;
  return { $class: bag.constructor?.name ?? '[none]', ...inner(answerHeaders(plain)) };
}

function answerHeaders(headers) {
  const entries = Object.entries(headers).filter(([name]) => !VOLATILE_ANSWER_HEADERS.has(name.toLowerCase()));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A request as the server saw it. `transport`: the headers that belong to the transport count as well. */
export function describeEntry(entry, { transport }) {
  const headers = {};
  for (const name of Object.keys(entry.headers).sort()) {
    if (!transport && (TRANSPORT_HEADERS.has(name) || isAnything(name, entry))) continue;
    headers[name] = VOLATILE_HEADERS.has(name) ? '<volatile>' : maskIn(String(entry.headers[name]), entry);
  }
  return { method: entry.method, path: mask(entry.path), headers, body: maskIn(entry.text, entry) };
}

/** `fetch` says so where others say nothing; it means the same (RFC 9110, 12.5.1). */
function isAnything(name, { headers }) {
  return name === 'accept' && headers[name] === '*/*';
}

function maskIn(text, { boundary }) {
  return mask(boundary === undefined ? text : text.replaceAll(boundary, '<boundary>'));
}

/** Where two descriptions differ: path, one side, the other side. */
export function differences(left, right, path = '') {
  if (Object.is(left, right)) return [];
  if (!isBranch(left) || !isBranch(right) || Array.isArray(left) !== Array.isArray(right)) {
    return [{ path: path || '.', native: left, queue: right }];
  }
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].flatMap((key) => differences(left[key], right[key], path === '' ? key : `${path}.${key}`));
}

function isBranch(value) {
  return typeof value === 'object' && value !== null;
}
