import { vi } from 'vitest';
import { RedisServer } from './RedisServer.ts';

export interface RedisClusterOptions {
  /** Of each master. @default 0 */
  readonly replicas?: 0 | 1;
  /** As of {@link RedisServer}, for every node. */
  readonly appendonly?: 'no' | 'everysec' | 'always';
  /** A node that does not answer for so long is held for dead. Ms. @default 1_000 */
  readonly nodeTimeoutMs?: number;
  /** More arguments for every node. */
  readonly args?: readonly string[];
}

const MASTERS = 3;
const SLOTS = 16_384;
/** A node takes no writes in its first two seconds. */
const FORMED_WITHIN_MS = 50_000;

/** A real cluster of three masters on loopback, each with a third of the slots. Whoever starts one disposes of it. */
export class RedisCluster {
  /** In the order of the slots they were given. After a failover, one of the replicas has the slots instead. */
  readonly masters: readonly RedisServer[];
  /** Each of the master with the same index; empty without replicas. */
  readonly replicas: readonly RedisServer[];

  private constructor(masters: readonly RedisServer[], replicas: readonly RedisServer[]) {
    this.masters = masters;
    this.replicas = replicas;
  }

  /** Starts the nodes and waits until every one of them holds the cluster for whole. */
  static async start(options: RedisClusterOptions = {}): Promise<RedisCluster> {
    const { replicas = 0 } = options;
    const started = await Promise.allSettled(
      Array.from({ length: MASTERS * (1 + replicas) }, () => startNode(options)),
    );
    const servers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const cluster = new RedisCluster(servers.slice(0, MASTERS), servers.slice(MASTERS));
    try {
      for (const result of started) if (result.status === 'rejected') throw result.reason;
      await cluster.#form();
      return cluster;
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
  }

  /** All of them, the masters first. */
  get servers(): readonly RedisServer[] {
    return [...this.masters, ...this.replicas];
  }

  /** What a client is told to find the cluster. */
  get nodes(): readonly { readonly host: string; readonly port: number }[] {
    return this.servers.map(({ host, port }) => ({ host, port }));
  }

  /** The node that has the slot of a key, as a node that runs sees it now. */
  async ownerOf(key: string): Promise<RedisServer> {
    const witness = this.servers.find(({ isRunning }) => isRunning);
    if (witness === undefined) throw new Error('no node of the cluster runs');
    const slot = Number(await witness.ask('CLUSTER', 'KEYSLOT', key));
    // Each entry: first slot, last slot, its master as [host, port, …], its replicas.
    const ranges = (await witness.ask('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    const port = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1];
    const owner = this.servers.find((server) => server.port === port);
    if (owner === undefined) throw new Error(`no node has slot ${slot}`);
    return owner;
  }

  /** Waits until all nodes that run hold the cluster for whole. */
  async waitUntilWhole(withinMs: number = FORMED_WITHIN_MS): Promise<void> {
    const running = this.servers.filter(({ isRunning }) => isRunning);
    await Promise.all(running.map((server) => waitForCluster(server, ['cluster_state:ok\r'], withinMs)));
  }

  /** Kills all nodes and removes their folders. Idempotent. */
  async dispose(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.dispose()));
  }

  async #form(): Promise<void> {
    await Promise.all(this.masters.map(giveSlots));
    // Everyone meets everyone: left to gossip, they would hear of each other seconds later.
    for (const [index, server] of this.servers.entries()) {
      for (const { host, port } of this.servers.slice(index + 1)) await server.ask('CLUSTER', 'MEET', host, `${port}`);
    }
    const isKnown = `cluster_known_nodes:${this.servers.length}\r`;
    await Promise.all(this.servers.map((server) => waitForCluster(server, [isKnown], FORMED_WITHIN_MS)));
    await Promise.all(this.replicas.map((replica, index) => follow(replica, this.masters[index] as RedisServer)));
    await this.waitUntilWhole();
  }
}

function startNode({ appendonly = 'no', nodeTimeoutMs = 1_000, args = [] }: RedisClusterOptions): Promise<RedisServer> {
  return RedisServer.start({
    appendonly,
    args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', `${nodeTimeoutMs}`, ...args],
  });
}

async function giveSlots(server: RedisServer, index: number): Promise<void> {
  const first = Math.ceil((index * SLOTS) / MASTERS);
  const end = Math.ceil(((index + 1) * SLOTS) / MASTERS);
  const slots = Array.from({ length: end - first }, (_, offset) => `${first + offset}`);
  // Equal epochs are sorted out by collisions, one change of the configuration after the other.
  await server.ask('CLUSTER', 'SET-CONFIG-EPOCH', `${index + 1}`);
  await server.ask('CLUSTER', 'ADDSLOTS', ...slots);
}

async function follow(replica: RedisServer, master: RedisServer): Promise<void> {
  const id = String(await master.ask('CLUSTER', 'MYID'));
  await vi.waitFor(() => replica.ask('CLUSTER', 'REPLICATE', id), { timeout: FORMED_WITHIN_MS, interval: 50 });
  await replica.waitForInfo('replication', 'master_link_status:up');
}

async function waitForCluster(server: RedisServer, texts: readonly string[], withinMs: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const info = String(await server.ask('CLUSTER', 'INFO'));
      const missing = texts.filter((text) => !info.includes(text));
      if (missing.length > 0) throw new Error(`no ${missing.join(', ')} in ${info}\n${server.log()}`);
    },
    { timeout: withinMs, interval: 50 },
  );
}
