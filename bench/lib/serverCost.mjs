import Redis from 'ioredis';

/** What a server says of itself, and how its counters move. Its own commands are not among those counted. */
export class Observer {
  #client;

  constructor({ host, port }) {
    this.#client = new Redis({ host, port });
  }

  /** µs of processor time the server has used, all its threads together. */
  async cpuUs() {
    const info = await this.#info('cpu');
    return (Number(info.used_cpu_user) + Number(info.used_cpu_sys)) * 1e6;
  }

  async usedBytes() {
    return Number((await this.#info('memory')).used_memory);
  }

  /** Bytes by key, where there are few. */
  async bytesByKey() {
    const keys = await this.#client.keys('*');
    if (keys.length > 100) return {};
    const entries = keys.map(async (key) => [key, await this.#client.memory('USAGE', key, 'SAMPLES', 1000)]);
    return Object.fromEntries(await Promise.all(entries));
  }

  /** Starts to count commands anew. */
  async reset() {
    await this.#client.config('RESETSTAT');
  }

  /**
   * Since `reset`: commands, those that scripts ran included, and the µs the server was in the commands its clients sent (what
   * a script ran is in the time of the script).
   */
  async commands() {
    const stats = Object.entries(await this.#info('commandstats')).map(([name, line]) => ({
      name: name.replace('cmdstat_', ''),
      calls: Number(/calls=(\d+)/.exec(line)[1]),
      usec: Number(/usec=(\d+)/.exec(line)[1]),
    }));
    const theirs = stats.filter(({ name }) => name !== 'info' && !name.startsWith('config'));
    const scripts = theirs.filter(({ name }) => /^(eval|evalsha|fcall)(_ro)?$/.test(name));
    const sum = (rows, field) => rows.reduce((total, row) => total + row[field], 0);
    return {
      calls: sum(theirs, 'calls'),
      scriptUs: sum(scripts, 'usec'),
      byName: Object.fromEntries(theirs.map(({ name, calls }) => [name, calls])),
    };
  }

  close() {
    this.#client.disconnect();
  }

  async #info(section) {
    const lines = (await this.#client.info(section)).split('\r\n').filter((line) => line.includes(':'));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
    );
  }
}

/**
 * Runs a loop and adds what each of its calls, those of the warm-up included, cost the server: µs of processor time and
 * commands.
 */
export async function withServerCost(redis, loop) {
  const observer = new Observer(redis);
  await observer.reset();
  const before = await observer.cpuUs();
  const result = await loop();
  const serverUs = (await observer.cpuUs()) - before;
  const { calls } = await observer.commands();
  observer.close();
  return { ...result, serverUsPerCall: serverUs / result.made, commandsPerCall: calls / result.made };
}
