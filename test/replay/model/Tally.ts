import type { History } from './history.ts';
import type { Flavour } from './scenario.ts';
import { FLAVOURS } from './scenario.ts';

interface Count {
  runs: number;
  /** Runs that ended with something held. */
  held: number;
}

/** What was lived through, over many runs. */
export class Tally {
  #requests = 0;
  #crashes = 0;
  #faults = 0;
  readonly #byFlavour = new Map<Flavour, Count>(FLAVOURS.map((flavour) => [flavour, { runs: 0, held: 0 }]));

  add({ scenario: { flavour }, answers, crashes, faults }: History): void {
    const records = answers.flatMap((answer) => answer.records);
    const count = this.#of(flavour);
    count.runs += 1;
    if (records.some(({ state }) => state === 'held')) count.held += 1;
    this.#requests += records.length;
    this.#crashes += crashes;
    this.#faults += faults;
  }

  get runs(): number {
    return FLAVOURS.reduce((sum, flavour) => sum + this.#of(flavour).runs, 0);
  }

  /** Runs of a flavour, and the share of them in which nothing was held. */
  of(flavour: Flavour): { readonly runs: number; readonly free: number } {
    const { runs, held } = this.#of(flavour);
    return { runs, free: runs === 0 ? 1 : 1 - held / runs };
  }

  summary(): string {
    const shares = FLAVOURS.map((flavour) => {
      const { runs, held } = this.#of(flavour);
      return `${flavour}: something held in ${held} of ${runs} (${((100 * held) / Math.max(runs, 1)).toFixed(2)} %)`;
    });
    return [
      `${this.runs} runs, ${this.#requests} requests, ${this.#crashes} crashes, ${this.#faults} faults`,
      ...shares,
    ].join('\n');
  }

  #of(flavour: Flavour): Count {
    return this.#byFlavour.get(flavour) as Count; // one for each
  }
}
