import type { Random } from '../../../src/system/random.ts';
import type { Crew } from './Crew.ts';
import type { Producers } from './Producers.ts';

export type Deed = 'killWorker' | 'pauseWorker' | 'killProducer';

export interface MischiefOptions {
  readonly random: Random;
  /** Requests of the whole campaign: deeds are spread over it. */
  readonly requests: number;
  readonly deeds: Readonly<Record<Deed, number>>;
  readonly leaseMs: number;
  readonly crew: Crew;
  readonly producers: Producers;
  /** One line per deed. */
  readonly report: (line: string) => void;
}

/**
 * Kills and pauses at random, but repeatably: what is done to whom follows from the seed, and when follows from how much
 * was applied, not from how fast the machine is.
 */
export class Mischief {
  readonly #options: MischiefOptions;
  readonly #plan: { readonly from: number; readonly deed: Deed }[];
  #applied = 0;

  constructor(options: MischiefOptions) {
    this.#options = options;
    const { random, requests, deeds } = options;
    const all = (Object.keys(deeds) as Deed[]).flatMap((deed) => Array.from({ length: deeds[deed] }, () => deed));
    this.#plan = all
      .map((deed) => ({ from: Math.floor((0.02 + 0.93 * random.number()) * requests), deed }))
      .sort((a, b) => a.from - b.from);
  }

  /** So many are applied now: does what is due. */
  reached(applied: number): void {
    this.#applied = applied;
    for (let next = this.#plan[0]; next !== undefined && next.from <= applied; next = this.#plan[0]) {
      if (!this.#commit(next.deed)) return;
      this.#plan.shift();
    }
  }

  /** Deeds that are not done. */
  get left(): number {
    return this.#plan.length;
  }

  /** False when it has to wait until somebody goes on: one worker is always awake. */
  #commit(deed: Deed): boolean {
    const { random, crew, producers, leaseMs, report } = this.#options;
    const draw = random.number();
    const after = `${String(this.#applied).padStart(6)} applied:`;
    switch (deed) {
      case 'killWorker':
        report(`${after} killed ${crew.kill(Math.floor(draw * crew.size))}`);
        return true;
      case 'killProducer': {
        const name = producers.kill(Math.floor(draw * producers.size));
        if (name !== undefined) report(`${after} killed ${name}`);
        return true;
      }
      case 'pauseWorker': {
        if (crew.awake < 2) {
          crew.onceAwake(() => this.reached(this.#applied));
          return false;
        }
        const ms = Math.round(leaseMs * (1.1 + 1.4 * random.number()));
        const name = crew.pause(Math.floor(draw * crew.awake), ms);
        report(`${after} stopped ${name} for ${ms} ms`);
        return true;
      }
      default:
        return deed satisfies never;
    }
  }
}
