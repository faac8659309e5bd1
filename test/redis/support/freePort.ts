import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ranges from which systems take the ports of outgoing connections. A port in those ranges could be taken
 * while its server is down, and a client that keeps dialling it could even be connected to itself.
 */
const LOWEST_PORT = 10_000;
const HIGHEST_PORT = 19_999;
/** The port on which the nodes of a cluster talk to each other is this much above the one for clients. */
const BUS_OFFSET = 10_000;
const MAX_ATTEMPTS = 50;

/** A port of loopback on which nobody listens, below 20,000; with `withBus`, the one 10,000 above it is free as well. */
export async function freePort(withBus = false): Promise<number> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT + 1);
    if ((await isFree(port)) && (!withBus || (await isFree(port + BUS_OFFSET)))) return port;
  }
  throw new Error(`no free port between ${LOWEST_PORT} and ${HIGHEST_PORT} after ${MAX_ATTEMPTS} attempts`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
