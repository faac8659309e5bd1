/** Handlers that write their answer over time. */
import { once } from 'node:events';
import { sendRaw } from '../reply.mjs';

const GIB = 2 ** 30;

export const streamHandlers = {
  '/fetch/api/resources/trickle.py': async ({ query, res, sleep }) => {
    const delayMs = Number(query.get('ms') ?? 500);
    await sleep(delayMs);
    res.writeHead(200, query.has('notype') ? {} : { 'Content-Type': 'text/plain' });
    res.flushHeaders();
    await sleep(delayMs);
    for (let left = Number(query.get('count') ?? 50); left > 0 && !res.destroyed; left--) {
      res.write('TEST_TRICKLE\n');
      await sleep(delayMs);
    }
    res.end();
  },

  /** Good chunks, then one that is no chunk. */
  '/fetch/api/resources/bad-chunk-encoding.py': async ({ query, req, sleep }) => {
    const delayMs = Number(query.get('ms') ?? 1000);
    await sleep(delayMs);
    req.socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    await sleep(delayMs);
    for (let left = Number(query.get('count') ?? 50); left > 0 && !req.socket.destroyed; left--) {
      req.socket.write('a\r\nTEST_CHUNK\r\n');
      await sleep(delayMs);
    }
    sendRaw({ req }, 'garbage');
  },

  /** Never ends by itself; the stash says whether the caller is still there. */
  '/fetch/api/resources/infinite-slow-response.py': async ({ folder, query, res, stash, sleep }) => {
    const stateKey = query.get('stateKey');
    const abortKey = query.get('abortKey');
    if (stateKey) stash.put(folder, stateKey, 'open');
    res.writeHead(200, { 'Content-Type': 'text/plain' });
    res.write('.'.repeat(2048));
    while (!res.destroyed && !(abortKey && stash.take(folder, abortKey))) {
      res.write('.');
      await sleep(10);
    }
    if (stateKey) stash.put(folder, stateKey, 'closed');
    res.end();
  },

  '/fetch/api/resources/huge-response.py': async ({ res }) => {
    res.writeHead(200, {
      'Content-Type': 'text/plain',
      'Content-Length': String(8 * GIB),
      'Cache-Control': 'max-age=86400',
    });
    const chunk = Buffer.alloc(2 ** 20);
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    for (let sent = 0; sent < 8 * GIB && !res.destroyed; sent += chunk.length) {
      if (!res.write(chunk)) await once(res, 'drain', { signal: gone.signal }).catch(() => undefined);
    }
    res.end();
  },

  /** Ranges of a long silence: as many bytes as asked, at once. */
  '/fetch/range/resources/long-wav.py': ({ query, header, stash }) => {
    const range = header('range', '');
    for (const [key, value] of [
      [query.get('range-received-key'), range && 'range-header-received'],
      [query.get('accept-encoding-key'), header('accept-encoding', '')],
    ]) {
      if (key && value) stash.put('/fetch/range/', key, value);
    }
    const total = 2_400_000;
    const match = /^bytes=(\d+)-(\d*)$/.exec(range);
    const start = Number(match?.[1] ?? 0);
    const end = Number(match?.[2] || total - 1);
    return {
      status: match ? 206 : 200,
      headers: [
        ['Content-Type', 'audio/wav'],
        ['Accept-Ranges', 'bytes'],
        ['Cache-Control', 'no-cache'],
        ['Access-Control-Allow-Origin', header('origin', '')],
        ...(match ? [['Content-Range', `bytes ${start}-${end}/${total}`]] : []),
      ],
      body: Buffer.alloc(end - start + 1),
    };
  },
};
