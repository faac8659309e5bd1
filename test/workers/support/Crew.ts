import type { Timer } from '../../../src/system/clock.ts';
import { systemClock } from '../../../src/system/clock.ts';
import type { Child, ChildEnd } from '../../processes/support/child.ts';
import { describe as describeEnd, startChild } from '../../processes/support/child.ts';
import type { QueueOrder } from './order.ts';
import { within } from './within.ts';

const WORKER = new URL('./worker.mjs', import.meta.url);
const CLOSE_WITHIN_MS = 20_000;

interface Member {
  readonly name: string;
  readonly child: Child;
  /** While it is stopped: what lets it go on. */
  resumption: Timer | undefined;
  /** Its end was ordered. */
  isDue: boolean;
}

/** The workers of a campaign: as many as there should be, however often one is killed. */
export class Crew {
  /** Ends nobody ordered, and closings that failed. */
  readonly mishaps: string[] = [];
  /** What workers logged. */
  readonly logged: string[] = [];
  kills = 0;
  pauses = 0;
  readonly #orders: readonly QueueOrder[];
  readonly #members: Member[] = [];
  #hired = 0;
  #whenAwake: (() => void)[] = [];

  /** One worker for each order. */
  constructor(orders: readonly QueueOrder[]) {
    this.#orders = orders;
    for (let index = 0; index < orders.length; index += 1) this.#hire(index);
  }

  /** Resolves once all can work. */
  async opened(): Promise<void> {
    await Promise.all(this.#members.map(({ child }) => child.line('open')));
  }

  get size(): number {
    return this.#members.length;
  }

  /** How many are not stopped. */
  get awake(): number {
    return this.#awake.length;
  }

  /** Kills the worker at a place, stopped or not, and puts a new one there. Gives its name. */
  kill(index: number): string {
    const member = this.#members[index] as Member; // whoever asks looked at `size`
    const wasStopped = member.resumption !== undefined;
    this.kills += 1;
    void this.#end(member);
    this.#hire(index);
    this.#tellAwake();
    return wasStopped ? `${member.name}, which was stopped` : member.name;
  }

  /** Stops one of those awake for `ms`; then it goes on, unless it was killed. Gives its name. */
  pause(index: number, ms: number): string {
    const member = this.#awake[index] as Member; // whoever asks looked at `awake`
    this.pauses += 1;
    member.child.process.kill('SIGSTOP');
    member.resumption = systemClock.schedule(
      ms,
      () => {
        member.resumption = undefined;
        member.child.process.kill('SIGCONT');
        this.#tellAwake();
      },
      { keepAlive: true },
    );
    return member.name;
  }

  /** Calls back once, when another one is awake. */
  onceAwake(callback: () => void): void {
    this.#whenAwake.push(callback);
  }

  /** Lets all go on that are stopped, and then close. Each must end by itself. */
  async close(): Promise<void> {
    while (this.awake < this.size) await new Promise<void>((resolve) => this.onceAwake(resolve));
    await Promise.all(this.#members.map((member) => this.#close(member)));
  }

  /** Ends all at once. For the end of a test, however it went. */
  async kick(): Promise<void> {
    await Promise.all(this.#members.map((member) => this.#end(member)));
  }

  get #awake(): Member[] {
    return this.#members.filter(({ resumption }) => resumption === undefined);
  }

  #hire(index: number): void {
    this.#hired += 1;
    const child = startChild(WORKER, [JSON.stringify(this.#orders[index])]);
    const member: Member = { name: `worker ${this.#hired}`, child, resumption: undefined, isDue: false };
    this.#members[index] = member;
    void child.ended.then((end) => {
      this.logged.push(...end.lines.filter((line) => line.startsWith('log ')));
      if (!member.isDue) this.mishaps.push(`${member.name} ended by itself: ${describeEnd(end)}`);
    });
  }

  async #close(member: Member): Promise<void> {
    member.isDue = true;
    member.child.process.stdin?.end();
    try {
      const end = await within(member.child.ended, CLOSE_WITHIN_MS, `${member.name} to end`);
      if (end.code !== 0 || !end.lines.includes('closed')) this.mishaps.push(`${member.name}: ${describeEnd(end)}`);
    } catch (error) {
      this.mishaps.push(`${String(error)}: ${describeEnd(await this.#end(member))}`);
    }
  }

  #end(member: Member): Promise<ChildEnd> {
    member.isDue = true;
    member.resumption?.cancel();
    member.resumption = undefined;
    return member.child.kill();
  }

  #tellAwake(): void {
    for (const callback of this.#whenAwake.splice(0)) callback();
  }
}
