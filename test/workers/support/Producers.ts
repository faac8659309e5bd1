import type { Child, ChildEnd } from '../../processes/support/child.ts';
import { describe as describeEnd, startChild } from '../../processes/support/child.ts';
import type { ProducerOrder } from './order.ts';

const PRODUCER = new URL('./producer.mjs', import.meta.url);
/** Intents of one process are numbered within so many. */
const RANGE = 10_000_000;

/** A request that a producer was told is stored. */
export interface Acceptance {
  readonly intent: number;
  readonly id: string;
  /** The process that accepted it. */
  readonly by: string;
  /** Calls of the same intent that were refused before. */
  readonly refusals: number;
}

/** What a caller that waited was told. */
export interface Told {
  readonly intent: number;
  readonly state: string;
  /** Intent that the answer speaks of. */
  readonly answered: number;
}

/** The producers of a campaign. One that is killed is replaced; the new one goes on with what is missing. */
export class Producers {
  readonly accepted: Acceptance[] = [];
  readonly told: Told[] = [];
  readonly logged: string[] = [];
  refused = 0;
  kills = 0;
  readonly #current: (Child | undefined)[] = [];
  #processes = 0;
  #isOver = false;

  get size(): number {
    return this.#current.length;
  }

  /** Kills one that still works. Gives its name. */
  kill(index: number): string | undefined {
    const child = this.#current[index];
    if (child === undefined) return undefined;
    child.process.kill('SIGKILL');
    this.kills += 1;
    return `producer ${index + 1}`;
  }

  /** Resolves when all was accepted and every caller was told. */
  async run(orders: readonly Omit<ProducerOrder, 'firstIntent'>[]): Promise<void> {
    await Promise.all(orders.map((order, index) => this.#runOne(order, index)));
  }

  /** Ends all at once. For the end of a test, however it went. */
  async kick(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#current.map((child) => child?.kill()));
  }

  async #runOne(order: Omit<ProducerOrder, 'firstIntent'>, index: number): Promise<void> {
    for (let left = order.requests; left > 0 && !this.#isOver; ) {
      const firstIntent = this.#processes * RANGE;
      this.#processes += 1;
      const name = `${order.producer} (process ${this.#processes})`;
      const child = startChild(PRODUCER, [JSON.stringify({ ...order, requests: left, firstIntent })]);
      this.#current[index] = child;
      const end = await child.ended;
      this.#current[index] = undefined;
      left -= this.#read(end, name);
      if (end.signal === 'SIGKILL') continue;
      if (end.code !== 0 || end.lines.at(-1) !== 'done') throw new Error(`a producer failed: ${describeEnd(end)}`);
      return;
    }
  }

  /** Notes what a process said. Gives how many requests it was told are accepted. */
  #read(end: ChildEnd, by: string): number {
    const before = this.accepted.length;
    for (const line of end.lines) {
      const [word, intent, second, third] = line.split(' ') as [string, string, string, string]; // as producer.mjs says them
      if (word === 'accepted') {
        this.accepted.push({ intent: Number(intent), id: second, by, refusals: Number(third) });
      } else if (word === 'told') {
        this.told.push({ intent: Number(intent), state: second, answered: Number(third) });
      } else if (word === 'refused') {
        this.refused += 1;
      } else if (word === 'log') {
        this.logged.push(line);
      }
    }
    return this.accepted.length - before;
  }
}
