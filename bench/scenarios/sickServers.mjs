import { once } from 'node:events';
import { createServer } from 'node:http';

/** Two servers: one takes requests and never answers, the other answers 503 and says when to come back. */
export async function run({ retryAfterS }) {
  const hanging = createServer((request) => request.resume());
  const refusing = createServer((request, response) => {
    request.on('end', () => response.writeHead(503, { 'retry-after': String(retryAfterS), 'content-length': 0 }).end());
    request.resume();
  });
  const servers = [hanging, refusing];
  for (const server of servers) server.listen(0, '127.0.0.1');
  await Promise.all(servers.map((server) => once(server, 'listening')));
  process.once('message', () => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  });
  const [hangingAt, refusingAt] = servers.map((server) => `http://127.0.0.1:${server.address().port}`);
  process.send({ hangingAt, refusingAt });
  await Promise.all(servers.map((server) => once(server, 'close')));
  return {};
}
