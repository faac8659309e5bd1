import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { onTestFinished } from 'vitest';

interface Passage {
  readonly near: Socket;
  readonly far: Socket;
  /** Bytes that came from the client. */
  received: number;
  isStopped: boolean;
  /** Of the answer, until its head is whole. */
  head: string;
}

export interface SluiceOptions {
  /** So many bytes of what a client sends go on to the server; then it is not read any more. @default all */
  readonly requestBytes?: number;
  /** The heads of answers go on to the client, their bodies do not. @default false */
  readonly headsOnly?: boolean;
}

const END_OF_HEAD = '\r\n\r\n';

/** A TCP proxy on the loopback that stops in the middle of requests or answers. Closed with the test. */
export class Sluice {
  readonly #options: SluiceOptions;
  readonly #port: number;
  readonly #server: Server;
  readonly #passages: Passage[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(port: number, options: SluiceOptions) {
    this.#port = port;
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#accept(near));
  }

  /** Before a server that listens on a port of the loopback. */
  static async before(origin: string, options: SluiceOptions): Promise<Sluice> {
    const sluice = new Sluice(Number(new URL(origin).port), options);
    sluice.#server.listen(0, '127.0.0.1');
    await once(sluice.#server, 'listening');
    onTestFinished(() => sluice.#close());
    return sluice;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`; // it listens on TCP
  }

  /** Resolves once so many requests have been stopped. */
  stopped(count: number): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#passages.filter(({ isStopped }) => isStopped).length < count) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #accept(near: Socket): void {
    const far = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    const passage: Passage = { near, far, received: 0, isStopped: false, head: '' };
    this.#passages.push(passage);
    near.on('error', () => near.destroy());
    far.on('error', () => far.destroy());
    // What a client sent before it was gone comes to the server all the same.
    near.on('end', () => far.end());
    near.on('close', () => far.end());
    far.on('close', () => near.destroy());
    near.on('data', (chunk) => this.#request(passage, chunk));
    far.on('data', (chunk) => this.#answer(passage, chunk));
  }

  #request(passage: Passage, chunk: Buffer): void {
    const { requestBytes = Number.POSITIVE_INFINITY } = this.#options;
    const before = passage.received;
    passage.received += chunk.length;
    if (before < requestBytes) passage.far.write(chunk.subarray(0, requestBytes - before));
    if (passage.received < requestBytes || passage.isStopped) return;
    passage.near.pause();
    passage.isStopped = true;
    for (const check of [...this.#waiting]) check();
  }

  #answer(passage: Passage, chunk: Buffer): void {
    if (this.#options.headsOnly !== true) {
      passage.near.write(chunk);
      return;
    }
    const before = passage.head.length;
    if (passage.head.includes(END_OF_HEAD)) return;
    passage.head += chunk.toString('latin1');
    const end = passage.head.indexOf(END_OF_HEAD);
    passage.near.write(passage.head.slice(before, end === -1 ? undefined : end + END_OF_HEAD.length), 'latin1');
  }

  async #close(): Promise<void> {
    for (const { near, far } of this.#passages) {
      near.destroy();
      far.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
