import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type * as IORedis from 'ioredis';
import { HoldfastError } from '../../../errors.ts';
import type { RedisAddress, RedisOptions } from '../../types/redis.ts';
import type { LoadedScript } from './call.ts';
import type { Connection, ConnectionEvents } from './connection.ts';

type Library = typeof IORedis;
type Client = IORedis.Redis | IORedis.Cluster;

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;
const LOCAL = '127.0.0.1';
const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 500;

/** Soon at first, then twice a second for as long as it takes: work is to go on within moments of the server's return. */
function retryDelay(attempt: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10), LONGEST_RETRY_MS);
}

/** Every call is made again by its own number where it must be, so that the library queues and repeats nothing. */
const PLAIN = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: null,
  retryStrategy: retryDelay,
  connectTimeout: 3_000,
  keepAlive: 5_000,
  noDelay: true,
} as const;

/**
 * A connection over ioredis, loaded when asked for. `key` is any key of the queue: on a cluster all of them are on its node.
 *
 * @throws `DEPENDENCY_MISSING` when the package is not installed.
 */
export function connect(options: RedisOptions, key: string): Connection {
  const library = load();
  const client = createClient(library, options);
  // A cluster has a connection for subscriptions of its own; any other needs a second one.
  const subscriber = 'nodes' in client ? client : createClient(library, options);
  return adapt(client, subscriber, describe(options), key, new Layout(library, key));
}

function load(): Library {
  try {
    return createRequire(import.meta.url)('ioredis') as Library;
  } catch (cause) {
    throw new HoldfastError(
      'DEPENDENCY_MISSING',
      'The Redis backend needs the package ioredis: npm install ioredis',
      { package: 'ioredis' },
      { cause },
    );
  }
}

function createClient({ Redis, Cluster }: Library, options: RedisOptions): Client {
  const { url, cluster, sentinels, username, password, db, tls } = options;
  const common = {
    ...PLAIN,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && tls !== false && { tls: tls === true ? {} : tls }),
  };
  if (cluster !== undefined) {
    return new Cluster(cluster.map(addressOf(REDIS_PORT)), {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryDelay,
      slotsRefreshTimeout: 2_000,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      retryDelayOnTryAgain: 0,
      redisOptions: common,
    });
  }
  if (sentinels !== undefined) {
    return new Redis({
      ...common,
      db: db ?? 0,
      sentinels: sentinels.map(addressOf(SENTINEL_PORT)),
      name: options.sentinelName ?? 'mymaster',
      ...(options.sentinelPassword !== undefined && { sentinelPassword: options.sentinelPassword }),
      sentinelRetryStrategy: retryDelay,
    });
  }
  if (url !== undefined) return new Redis(url, { ...common, ...(db !== undefined && { db }) });
  return new Redis({ ...common, ...addressOf(REDIS_PORT)(options), db: db ?? 0 });
}

function addressOf(defaultPort: number): (address: RedisAddress) => { host: string; port: number } {
  return ({ host, port }) => ({ host: host ?? LOCAL, port: port ?? defaultPort });
}

function describe({ url, cluster, sentinels, ...address }: RedisOptions): string {
  const text = ({ host, port }: { host: string; port: number }) => `${host}:${port}`;
  if (cluster !== undefined) return cluster.map((one) => text(addressOf(REDIS_PORT)(one))).join(',');
  if (sentinels !== undefined) return sentinels.map((one) => text(addressOf(SENTINEL_PORT)(one))).join(',');
  if (url !== undefined && URL.canParse(url)) return new URL(url).host;
  return text(addressOf(REDIS_PORT)(address));
}

/** Fields of the clients that their types keep to themselves, and that are there in every version of the range. */
interface Inside {
  readonly stream?: Socket;
  readonly slots?: readonly (readonly string[] | undefined)[];
  /** Of a cluster: the connection of its subscriptions, which is none of its nodes. */
  readonly subscriber?: { getInstance(): { readonly stream?: Socket } | null | undefined };
}

/** The parts of a client: its nodes where it is one of a cluster, and the one that has a key. */
class Nodes {
  readonly #client: Client;
  readonly #key: string;
  #slot: number | undefined;

  constructor(client: Client, key: string) {
    this.#client = client;
    this.#key = key;
  }

  get all(): IORedis.Redis[] {
    return 'nodes' in this.#client ? this.#client.nodes() : [this.#client];
  }

  async owner(): Promise<IORedis.Redis> {
    const client = this.#client;
    if (!('nodes' in client)) return client;
    this.#slot ??= Number(await client.cluster('KEYSLOT', this.#key));
    const name = (client as unknown as Inside).slots?.[this.#slot]?.[0];
    const found = client.nodes('master').find(({ options }) => `${options.host}:${options.port}` === name);
    if (found === undefined) throw new Error(`the cluster has no node for the keys of ${this.#key}`);
    return found;
  }

  get bytesRead(): number {
    return this.all.reduce((sum, node) => sum + ((node as unknown as Inside).stream?.bytesRead ?? 0), 0);
  }

  /** Lets the sockets keep the process alive, or not. */
  hold(isBusy: boolean): void {
    for (const node of this.all) {
      const { stream } = node as unknown as Inside;
      if (isBusy) stream?.ref?.();
      else stream?.unref?.();
    }
  }
}

/**
 * Runs of scripts as they go on the wire, laid out once but for the argument: the library would encode some two dozen keys
 * anew each time, which took longer than all the rest.
 */
class Layout {
  readonly #library: Library;
  readonly #key: string;
  readonly #heads = new Map<LoadedScript, Buffer>();

  constructor(library: Library, key: string) {
    this.#library = library;
    this.#key = key;
  }

  #headOf(script: LoadedScript): Buffer {
    let head = this.#heads.get(script);
    if (head === undefined) {
      const words = ['evalsha', script.sha, `${script.keys.length}`, ...script.keys];
      const text = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('');
      head = Buffer.from(`*${words.length + 2}\r\n${text}`);
      this.#heads.set(script, head);
    }
    return head;
  }

  command(script: LoadedScript, argument: Buffer, place: string): IORedis.Command {
    const head = this.#headOf(script);
    // One key is named for the library: it tells the node.
    const command = new this.#library.Command('evalsha', [script.sha, '1', this.#key], { replyEncoding: null });
    const length = Buffer.from(`$${argument.length}\r\n`);
    const rest = Buffer.from(`\r\n$${place.length}\r\n${place}\r\n`);
    command.toWritable = () => Buffer.concat([head, length, argument, rest]);
    return command;
  }
}

/** What is sent in one turn goes out in one write. */
class Corked {
  readonly #client: Client;
  #isCorked = false;

  constructor(client: Client) {
    this.#client = client;
  }

  cork(): void {
    const { stream } = this.#client as unknown as Inside;
    if (this.#isCorked || stream === undefined) return;
    this.#isCorked = true;
    stream.cork();
    queueMicrotask(() => {
      this.#isCorked = false;
      stream.uncork();
    });
  }
}

function adapt(client: Client, subscriber: Client, where: string, key: string, layout: Layout): Connection {
  const corked = new Corked(client);
  const nodes = new Nodes(client, key);
  const listening = new Nodes(subscriber, key);
  let isBusy = false;
  let asked = 0;
  const hold = (): void => {
    nodes.hold(isBusy || asked > 0);
    if (subscriber !== client) listening.hold(false);
    (client as unknown as Inside).subscriber?.getInstance()?.stream?.unref?.();
  };
  // The library never answers what was under way when a connection was lost.
  const ends = new Set<(error: Error) => void>();
  const endAll = (): void => {
    for (const end of ends) end(new Error('the connection was lost'));
  };
  const held = async <T>(ask: () => Promise<T>): Promise<T> => {
    let end: (error: Error) => void = () => undefined;
    const lost = new Promise<never>((_, reject) => {
      end = reject;
    });
    ends.add(end);
    asked += 1;
    if (asked === 1) hold();
    try {
      return await Promise.race([ask(), lost]);
    } finally {
      ends.delete(end);
      asked -= 1;
      if (asked === 0) hold();
    }
  };
  return {
    where,
    open(events: ConnectionEvents) {
      let cause: unknown;
      client.on('error', (error: unknown) => {
        cause = error;
      });
      if (subscriber !== client) subscriber.on('error', () => undefined); // only news are lost, and they are polled for too
      const clients = new Set([client, subscriber]);
      for (const one of clients) for (const event of ['connect', 'ready', '+node']) one.on(event, hold);
      client.on('ready', () => events.ready());
      client.on('close', () => {
        endAll();
        events.lost(cause);
        cause = undefined;
      });
      for (const one of clients) one.connect().catch(() => undefined); // it tries again by itself
    },
    async run(script, argument, place) {
      try {
        corked.cork();
        return (await client.sendCommand(layout.command(script, argument, place))) as Buffer; // the script answers a string
      } catch (error) {
        if ('refreshSlotsCache' in client) client.refreshSlotsCache(() => undefined);
        throw error;
      }
    },
    load: (scripts) =>
      held(async () => {
        const owner = await nodes.owner();
        await Promise.all(scripts.map(({ text }) => owner.script('LOAD', text)));
      }),
    ask: (command, ...args) => held(async () => (await nodes.owner()).call(command, ...args)),
    listen(channel, onMessage) {
      subscriber.on('messageBuffer', (from: Buffer, message: Buffer) => {
        if (from.toString() === channel) onMessage(message);
      });
      return {
        async subscribe() {
          if (subscriber.status !== 'ready') throw new Error('not connected');
          await subscriber.subscribe(channel);
          hold();
        },
      };
    },
    get bytesRead() {
      return nodes.bytesRead;
    },
    keepAlive(busy) {
      isBusy = busy;
      hold();
    },
    reset() {
      for (const one of new Set([client, subscriber])) one.disconnect(true);
    },
    close() {
      endAll();
      for (const one of new Set([client, subscriber])) one.disconnect();
    },
  };
}
