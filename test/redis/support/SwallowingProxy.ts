import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { freePort } from './freePort.ts';

/** One accepted connection and the one behind it. */
interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Once set it stays: what it swallowed is missing, so nothing of its stream may follow. */
  isSwallowed: boolean;
}

type Mode = 'passing' | 'swallowing' | 'refusing';

/** A TCP proxy on loopback that fails as networks do. Whoever starts one disposes of it. */
export class SwallowingProxy {
  readonly host: string = '127.0.0.1';
  readonly port: number;
  readonly #targetPort: number;
  readonly #pairs = new Set<Pair>();
  #server: Server | undefined;
  #mode: Mode = 'passing';

  private constructor(port: number, targetPort: number) {
    this.port = port;
    this.#targetPort = targetPort;
  }

  /** Listens on a free port and passes bytes to and from `targetPort`. */
  static async start(targetPort: number): Promise<SwallowingProxy> {
    const proxy = new SwallowingProxy(await freePort(), targetPort);
    await proxy.#listen();
    return proxy;
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Passes bytes of connections made from now on, and of those that have lost none. Listens again if it refused. */
  async pass(): Promise<void> {
    this.#mode = 'passing';
    await this.#listen();
  }

  /**
   * Keeps connections open and drops their bytes and their ends in both directions, as a router does that lost its
   * table: those that are open never pass a byte again, and new ones are accepted and get no answer.
   */
  async swallow(): Promise<void> {
    this.#mode = 'swallowing';
    for (const pair of this.#pairs) swallowPair(pair);
    await this.#listen();
  }

  /** Destroys the open connections, on both sides; new ones are treated as before. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    this.#pairs.clear();
  }

  /** Destroys the open connections and refuses new ones, as a host without a listener does. */
  async refuse(): Promise<void> {
    this.#mode = 'refusing';
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve();
      else server.close(() => resolve());
    });
    this.cut();
    await closed;
  }

  /** Destroys everything. Idempotent. */
  dispose(): Promise<void> {
    return this.refuse();
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return;
    // Half-open allowed: the end of one side reaches the other only where bytes pass.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#accept(near));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, this.host, resolve);
    });
  }

  #accept(near: Socket): void {
    if (this.#mode === 'refusing') {
      near.destroy();
      return;
    }
    const far = connect({ host: this.host, port: this.#targetPort, allowHalfOpen: true, noDelay: true });
    const pair: Pair = { near, far, isSwallowed: false };
    this.#pairs.add(pair);
    this.#join(pair, near, far);
    this.#join(pair, far, near);
    if (this.#mode === 'swallowing') swallowPair(pair);
  }

  /** What happens to `from` happens to `to`, unless the pair is swallowed. */
  #join(pair: Pair, from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (pair.isSwallowed || to.write(chunk)) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
    from.on('end', () => {
      if (!pair.isSwallowed) to.end();
    });
    from.on('error', () => from.destroy());
    from.on('close', () => {
      if (!pair.isSwallowed) to.destroy();
      if (pair.near.destroyed && pair.far.destroyed) this.#pairs.delete(pair);
    });
  }
}

function swallowPair(pair: Pair): void {
  pair.isSwallowed = true;
  // A side that waited for the other to drain would wait for ever, and its peer would see the pressure.
  pair.near.resume();
  pair.far.resume();
}
