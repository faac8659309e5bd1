import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { createServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../../client/support/certificate.ts';

/** Ends TLS before a server of the loopback, with the certificate that the transports of these tests trust. Gives its origin; closed with the test. */
export async function tlsFront(origin: string): Promise<string> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  const front = createServer({ cert: LOOPBACK_CERTIFICATE, key: LOOPBACK_KEY }, (near) => {
    const far = connect(Number(new URL(origin).port), '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      keep(one);
      one.on('error', () => one.destroy());
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => front.close(resolve));
  });
  return `https://127.0.0.1:${(front.address() as AddressInfo).port}`; // it listens on TCP
}
