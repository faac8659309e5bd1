import { onTestFinished } from 'vitest';
import type { QueueOptions, ZoneOptions } from '../../../src/queue/core/config/options.ts';
import type { Counts } from '../../../src/queue/core/report.ts';
import type { Child } from '../../processes/support/child.ts';
import { DIST, startChild } from '../../processes/support/child.ts';
import type { SharedBackend } from '../../workers/support/order.ts';

const SCRIPT = new URL('./member.mjs', import.meta.url);

/** What became of a breaker, as a process says it. */
export interface Said {
  readonly name: string;
  readonly reason: string;
  /** Monotonic ms, of the clock that all processes of a machine have. */
  readonly at: number;
}

export interface MemberOrder {
  readonly backend: SharedBackend;
  readonly zones: Readonly<Record<string, ZoneOptions>>;
  readonly options?: Omit<QueueOptions, 'backend' | 'zones'>;
}

/** One of several processes that work on a store. Ended with the test. */
export class Member {
  readonly #child: Child;
  #commands = 0;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(order: MemberOrder): Promise<Member> {
    const child = startChild(SCRIPT, [JSON.stringify({ dist: DIST, ...order })]);
    onTestFinished(async () => void (await child.kill()));
    await child.line('open');
    return new Member(child);
  }

  /** So many writes that may be repeated, of the first zone, in one step. */
  async enqueue(path: string, count: number): Promise<void> {
    await this.#ask({ do: 'enqueue', path, count });
  }

  async pause(zone: string): Promise<void> {
    await this.#ask({ do: 'pause', zone });
  }

  async resume(zone: string): Promise<void> {
    await this.#ask({ do: 'resume', zone });
  }

  /** Of the breaker of a zone. */
  status(zone: string): Promise<unknown> {
    return this.#ask({ do: 'status', zone });
  }

  /** Resolves when nothing in the store moves by itself. */
  async idle(): Promise<void> {
    await this.#ask({ do: 'idle' });
  }

  counts(): Promise<Counts> {
    return this.#ask({ do: 'counts' }) as Promise<Counts>; // as member.mjs answers
  }

  /** How many calls it made. */
  calls(): Promise<number> {
    return this.#ask({ do: 'calls' }) as Promise<number>; // as member.mjs answers
  }

  /** All it said of its breakers so far. */
  get said(): readonly Said[] {
    return this.#child.lines.flatMap((line) => {
      const [kind, name = '', reason = '', at] = line.split(' ');
      return kind === 'event' ? [{ name, reason, at: Number(at) }] : [];
    });
  }

  /** Resolves once it has said that, before now or later. */
  async says(name: string, reason = ''): Promise<void> {
    await this.#child.line(`event ${name} ${reason}`);
  }

  async #ask(command: object): Promise<unknown> {
    this.#commands += 1;
    const n = this.#commands;
    this.#child.tell({ ...command, n });
    const start = `done ${n} `;
    return JSON.parse((await this.#child.line(start)).slice(start.length));
  }
}
