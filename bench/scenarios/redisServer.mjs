import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import Redis from 'ioredis';
import { inFolder } from '../lib/folder.mjs';
import { SERVER } from '../lib/redis.mjs';

const HOST = '127.0.0.1';

export const endsItself = true;

/**
 * A redis-server of its own, as long as the process that asked for it wants it or lives: a process between them notices when
 * that one is killed.
 */
export function run({ settings }) {
  const unwanted = Promise.race([once(process, 'message'), once(process, 'disconnect')]);
  return inFolder(async (folder) => {
    const port = await freePort();
    const address = ['--bind', HOST, '--port', String(port), '--dir', folder];
    const server = spawn(SERVER, [...address, '--daemonize', 'no', ...settings], { stdio: 'ignore' });
    const ended = once(server, 'exit');
    try {
      await Promise.race([answers(port), ended.then(() => Promise.reject(new Error(`${SERVER} did not start`)))]);
      process.send({ redis: { host: HOST, port } });
      await unwanted;
    } finally {
      server.kill('SIGKILL');
      await ended;
    }
    return {};
  });
}

/** One that nobody listens on now. */
async function freePort() {
  const probe = createServer().listen(0, HOST);
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Resolves once the server answers. */
async function answers(port) {
  const client = new Redis({ host: HOST, port, maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => undefined); // refused until it listens
  await client.ping();
  client.disconnect();
}
