import { once } from 'node:events';
import { createServer } from 'node:http';
import { ANSWER } from '../lib/payload.mjs';

/** The server of the rows with a wire: reads the body, answers 201 with JSON. */
export async function run() {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(ANSWER) };
  const server = createServer((request, response) => {
    request.on('end', () => response.writeHead(201, headers).end(ANSWER));
    request.resume();
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.once('message', () => {
    server.close();
    server.closeAllConnections();
  });
  process.send({ origin: `http://127.0.0.1:${server.address().port}` });
  await once(server, 'close');
  return {};
}
