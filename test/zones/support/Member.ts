import { onTestFinished } from 'vitest';
import type { QueueOptions, ZoneOptions } from '../../../src/queue/core/config/options.ts';
import type { ZoneState } from '../../../src/queue/core/gates/ZoneDesk.ts';
import type { Child } from '../../processes/support/child.ts';
import { DIST, startChild } from '../../processes/support/child.ts';
import type { SharedBackend } from '../../workers/support/order.ts';

const SCRIPT = new URL('./member.mjs', import.meta.url);

/** What a process has to say of its breaker, or of a zone. */
export interface Said {
  readonly name: string;
  /** Monotonic ms, of the clock all processes of a machine have. */
  readonly at: number;
  readonly reason: string | undefined;
  readonly until: number | null | undefined;
}

export interface MemberOrder {
  readonly backend: SharedBackend;
  readonly zones: Readonly<Record<string, ZoneOptions>>;
  readonly options?: Omit<QueueOptions, 'backend' | 'zones'>;
}

/** One of several processes that work on a store. Ended with the test. */
export class Member {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(order: MemberOrder): Promise<Member> {
    const child = startChild(SCRIPT, [JSON.stringify({ dist: DIST, name: 'members', ...order })]);
    onTestFinished(() => void child.kill());
    await child.line('open');
    return new Member(child);
  }

  /** So many writes that may be repeated, in one step. */
  async enqueue(path: string, count: number): Promise<void> {
    this.#child.tell({ do: 'enqueue', path, count });
    await this.#child.line(`accepted ${path}`);
  }

  pause(zone: string): void {
    this.#child.tell({ do: 'pause', zone });
  }

  resume(zone: string): void {
    this.#child.tell({ do: 'resume', zone });
  }

  /** Waits until nothing moves in the store. Gives how many calls this process made so far. */
  async idle(): Promise<number> {
    const line = await this.#answer('idle');
    return Number(line.split(' ')[1]);
  }

  async state(): Promise<readonly ZoneState[]> {
    const line = await this.#answer('state');
    return JSON.parse(line.slice('state '.length)); // as member.mjs writes it
  }

  get said(): readonly Said[] {
    return this.#child.lines.flatMap((line) => {
      const [, name, at, event] = /^event (\S+) (\d+) (.*)$/.exec(line) ?? [];
      if (name === undefined || event === undefined) return [];
      const { reason, until } = JSON.parse(event);
      return [{ name, at: Number(at), reason, until }];
    });
  }

  /** The first it says of that, said already or to come. */
  async says(name: string, reason?: string): Promise<Said> {
    for (;;) {
      const found = this.said.find((one) => one.name === name && (reason === undefined || one.reason === reason));
      if (found !== undefined) return found;
      await this.#child.nextLine();
    }
  }

  async close(): Promise<void> {
    this.#child.tell({ do: 'close' });
    await this.#child.ended;
  }

  #asked = 0;

  #answer(what: string): Promise<string> {
    this.#asked += 1;
    this.#child.tell({ do: what, n: this.#asked });
    return this.#child.line(`${what} `);
  }
}
