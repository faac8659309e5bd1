// A plain REST API of "things", for clients that bring no API of their own.

const thing = (id, more = {}) => ({ id, name: `Thing ${id}`, ...more });

export const routes = {
  'GET /things/:id': ({ params, headers }) => {
    if (params.id === 'missing') return { status: 404, json: { error: 'not found' } };
    if (params.id === 'secret')
      return { status: 401, json: { error: 'who are you' }, headers: { 'www-authenticate': 'Bearer' } };
    if (params.id === 'slow') return { delayMs: 5_000, json: {} };
    if (params.id === 'text') return { text: 'plain ü', headers: { 'content-type': 'text/plain; charset=utf-8' } };
    if (params.id === 'bytes')
      return { text: Buffer.from([0, 1, 254, 255]), headers: { 'content-type': 'application/octet-stream' } };
    if (params.id === 'empty') return { status: 204 };
    if (params.id === 'moved') return { status: 302, headers: { location: '/things/7?moved=1' } };
    if (params.id === 'stream') return { chunks: ['one ', 'two ', 'three'], headers: { 'content-type': 'text/plain' } };
    if (params.id === 'cookies') return { json: thing('cookies'), headers: { 'set-cookie': ['a=1', 'b=2; Path=/'] } };
    return { json: thing(params.id, { asked: headers.accept ?? '*/*' }), headers: { etag: `"${params.id}"` } };
  },
  'HEAD /things/:id': () => ({ headers: { 'content-type': 'application/json', 'content-length': '42' } }),
  'GET /things': ({ query }) => ({ json: { query: [...query], items: [thing('1'), thing('2')] } }),
  'POST /things': ({ text, headers, state }) => {
    state.made = (state.made ?? 0) + 1;
    return { status: 201, json: thing(String(state.made), { sent: text, type: headers['content-type'] ?? null }) };
  },
  'PUT /things/:id': ({ params, text }) => ({ json: thing(params.id, { sent: text }) }),
  'PATCH /things/:id': ({ params, text }) => ({ json: thing(params.id, JSON.parse(text)) }),
  'DELETE /things/:id': () => ({ status: 204 }),
  'POST /invalid': () => ({ status: 422, json: { errors: [{ field: 'name', message: 'taken' }] } }),
  'POST /upload': ({ body, boundary, state }) => {
    state.made = (state.made ?? 0) + 1;
    // How long its boundaries are is up to the transport.
    const size = boundary === undefined ? body.length : body.toString('latin1').replaceAll(boundary, '').length;
    return { status: 201, json: { id: state.made, size, multipart: boundary !== undefined } };
  },
};

/** A form with a field and a file. */
export function makeForm() {
  const form = new FormData();
  form.append('title', 'Über');
  form.append('file', new Blob([Buffer.from([1, 2, 0, 255])], { type: 'application/octet-stream' }), 'a.bin');
  return form;
}

/** What a stream gives, and whether it came bit by bit: some time before the end. */
export async function collect(stream) {
  const chunks = [];
  let first;
  for await (const chunk of stream) {
    first ??= performance.now();
    chunks.push(Buffer.from(chunk));
  }
  return { text: Buffer.concat(chunks).toString(), inBits: performance.now() - first > 40 };
}

/** The parts of a stream of events, and whether they came bit by bit. */
export async function collectParts(stream) {
  const parts = [];
  let first;
  for await (const part of stream) {
    first ??= performance.now();
    parts.push(part);
  }
  return { parts, inBits: performance.now() - first > 40 };
}

/** A signal that goes off while the server thinks. */
export function soon(reason) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 400);
  return controller.signal;
}
