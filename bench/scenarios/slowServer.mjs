import { createServer } from 'node:http';
import { ANSWER } from '../lib/payload.mjs';
import { serveUntilTold } from '../lib/serving.mjs';

/** A server that takes `callMs` for each call, whatever is in it: one request, or a list of them at `/batch`. */
export async function run({ callMs }) {
  const headers = { 'content-type': 'application/json' };
  const answer = JSON.parse(ANSWER);
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const isBatch = request.url === '/batch';
      const items = isBatch ? JSON.parse(Buffer.concat(parts).toString()) : undefined;
      const body = isBatch ? JSON.stringify(items.map(({ id }) => ({ id, status: 201, body: answer }))) : ANSWER;
      setTimeout(() => response.writeHead(isBatch ? 200 : 201, headers).end(body), callMs);
    });
  });
  return serveUntilTold(server);
}
