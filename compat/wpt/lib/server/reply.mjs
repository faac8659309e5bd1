import { STATUS_CODES } from 'node:http';

const BODYLESS = new Set([204, 304]);
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what Node's server refuses to send.
const UNSENDABLE = /[\0-\x08\x0a-\x1f\x7f]/;

/**
 * Sends an answer. What Node's server would refuse or repair (a body where none may be, a control character in a header, an
 * interim status as the final one), or what it did not parse, goes out as written and closes the connection.
 *
 * @param {{ status?: number, reason?: string, headers?: [string, string][], body?: string | Buffer }} reply
 */
export function send({ req, res }, reply) {
  const { status = 200, headers = [] } = reply;
  const reason = reply.reason ?? STATUS_CODES[status] ?? 'Unknown';
  const body = Buffer.from(reply.body ?? '', 'latin1');
  const all = has(headers, 'content-length') ? headers : [...headers, ['Content-Length', String(body.length)]];
  const odd =
    !res ||
    status < 200 ||
    (BODYLESS.has(status) && body.length > 0 && req.method !== 'HEAD') ||
    [reason, ...headers.flat()].some((text) => UNSENDABLE.test(text));
  if (odd) {
    const lines = [...all, ['Connection', 'close']].map(([name, value]) => `${name}: ${value}\r\n`);
    const head = Buffer.from(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n`, 'latin1');
    sendRaw({ req, res }, Buffer.concat([head, body]));
    return;
  }
  res.writeHead(status, reason, all.flat());
  res.end(req.method === 'HEAD' ? undefined : body);
}

/** Sends bytes that are the whole answer, its first line included, and closes. */
export function sendRaw({ req }, bytes) {
  req.socket.end(bytes);
}

function has(headers, name) {
  return headers.some(([key]) => key.toLowerCase() === name);
}
