import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { TESTS } from '../paths.mjs';

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.idl': 'text/plain',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.txt': 'text/plain',
};

/** A file of the tests as an answer, with its `.headers` companion and, where its name has `.sub.`, its variables filled in. */
export async function fileReply(path, variables) {
  const body = await readTest(path, variables);
  if (body === undefined) return { status: 404, headers: [['Content-Type', 'text/plain']], body: 'not found' };
  const given = await readTest(`${path}.headers`, variables);
  const headers = given === undefined ? [] : parseHeaders(given.toString('latin1'));
  if (!headers.some(([name]) => name.toLowerCase() === 'content-type')) {
    headers.unshift(['Content-Type', TYPES[extname(path)] ?? 'application/octet-stream']);
  }
  return { headers, body };
}

/** @returns {Promise<Buffer | undefined>} */
export async function readTest(path, variables) {
  try {
    const bytes = await readFile(join(TESTS, path));
    return path.includes('.sub.') ? Buffer.from(substitute(bytes.toString(), variables)) : bytes;
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'EISDIR') return undefined;
    throw error;
  }
}

/** Fills in `{{host}}`, `{{ports[http][0]}}`, `{{domains[www]}}` and `{{hosts[alt][]}}`. */
function substitute(text, { host, otherHost, ports }) {
  return text
    .replace(/\{\{ports\[(\w+)\]\[(\d)\]\}\}/g, (_, scheme, index) =>
      String(ports[scheme]?.[Number(index)] ?? ports.closed),
    )
    .replace(/\{\{host\}\}|\{\{hosts\[\]\[\]\}\}/g, host)
    .replace(/\{\{(domains|hosts)(\[\w*\])+\}\}/g, otherHost);
}

function parseHeaders(text) {
  return text
    .split(/\r?\n/)
    .filter(Boolean)
    .map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1).trim()];
    });
}
