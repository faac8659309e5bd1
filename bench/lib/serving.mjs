import { once } from 'node:events';

/** Serves on the loopback until the parent says so, which is told where: for scenarios that are a server. */
export async function serveUntilTold(server) {
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
