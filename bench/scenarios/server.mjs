import { createServer } from 'node:http';
import { ANSWER } from '../lib/payload.mjs';
import { serveUntilTold } from '../lib/serving.mjs';

/** The server of the rows with a wire: reads the body, answers 201 with JSON. */
export async function run() {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(ANSWER) };
  const server = createServer((request, response) => {
    request.on('end', () => response.writeHead(201, headers).end(ANSWER));
    request.resume();
  });
  return serveUntilTold(server);
}
