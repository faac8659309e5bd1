import type { StoredRequest } from '../../../src/queue/types/request.ts';
import type { TestQueue } from '../../../src/testing/createTestQueue.ts';
import { createTestQueue } from '../../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../../src/testing/FakeClock.ts';
import { App } from './App.ts';
import type { Answer, History } from './history.ts';
import { pathOf } from './Memory.ts';
import { configOf } from './rules.ts';
import { Site } from './Site.ts';
import type { Incident, Scenario } from './scenario.ts';

/** Long enough for every retry, every look at what is in doubt, and giving up. */
const LONG_MS = 48 * 3_600_000;
/** What a turn sets off here is done within a few: nothing waits for a disk or a thread. */
const TURNS = 8;
const MOVING = ['ready', 'scheduled', 'sending', 'unknown'] as const;

/** Plays a scenario until nothing moves by itself any more, and tells what happened. */
export async function live(scenario: Scenario): Promise<History> {
  const clock = new FakeClock({ turns: TURNS });
  const { seed, flavour } = scenario;
  const test = await createTestQueue({ seed, clock, config: configOf(flavour) });
  try {
    return await new Run(test, scenario).play();
  } finally {
    await test.close();
  }
}

class Run {
  readonly #test: TestQueue;
  readonly #scenario: Scenario;
  readonly #site: Site;
  readonly #app: App;
  #isStopped = false;
  #stop: Promise<void> = new Promise(() => undefined);

  constructor(test: TestQueue, scenario: Scenario) {
    this.#test = test;
    this.#scenario = scenario;
    this.#site = new Site(test, scenario);
    this.#app = new App(test, this.#site, scenario);
  }

  async play(): Promise<History> {
    const { clock } = this.#test;
    for (const { event, ask } of this.#scenario.steps) {
      if (event !== null) await this.#happen(event);
      if (this.#isStopped) await this.#restart();
      this.#app.ask(ask);
      if (!ask.isTogether) await clock.settle();
    }
    const until = clock.monotonicNow() + LONG_MS;
    while (!(await clock.advanceUntil(() => this.#isAtRest(), until - clock.monotonicNow())) || this.#isStopped) {
      if (!this.#isStopped) break;
      await this.#restart();
    }
    return this.#told();
  }

  async #happen(event: Incident): Promise<void> {
    const { clock, network } = this.#test;
    switch (event.what) {
      case 'crash':
        return this.#restart();
      case 'dieAt':
        this.#dieAt(event);
        return;
      case 'pass':
        await clock.advanceUntil(() => this.#isStopped, event.ms);
        return;
      case 'offline':
        network.online = false;
        clock.schedule(event.ms, () => {
          network.online = true;
        });
        return;
      case 'wall':
        clock.setWall(clock.now() + event.ms);
        return;
      case 'read':
        this.#app.read(event.slot);
        return;
      case 'edit':
      case 'remove': {
        const known = this.#app.memory.at(event.slot);
        if (known?.serverId === undefined) return;
        const path = pathOf(known, true);
        if (event.what === 'edit') this.#site.edit(path, event.field);
        else this.#site.remove(path);
        return;
      }
      default:
        event satisfies never;
    }
  }

  #dieAt({ point, nth }: Extract<Incident, { what: 'dieAt' }>): void {
    const stop = this.#test.stopAt(point, nth).then(() => {
      this.#isStopped = true;
    });
    this.#stop = Promise.race([this.#stop, stop]);
  }

  async #restart(): Promise<void> {
    await this.#test.crash();
    this.#isStopped = false;
    this.#stop = new Promise(() => undefined);
    this.#app.restart();
  }

  /** A queue that was stopped answers no more: that counts as well. */
  async #isAtRest(): Promise<boolean> {
    if (this.#isStopped) return true;
    const counts = await Promise.race([this.#test.queue.counts(), this.#stop]);
    if (counts === undefined) return true;
    return MOVING.every((state) => counts[state] === 0) && (counts.blocked === 0 || counts.held > 0);
  }

  async #told(): Promise<History> {
    const { requests } = await this.#test.queue.find({ acceptedAfter: 0 }, { limit: 1_000 });
    const paths = this.#site.log.map((one) => (one.what === 'change' ? one.path : ''));
    const given = this.#app.memory.things.map(({ path }) => path ?? '');
    return {
      scenario: this.#scenario,
      things: this.#app.memory.things,
      answers: this.#app.asked.map((asked) => this.#answerOf(asked, requests)),
      log: this.#site.log,
      server: this.#site.states([...paths, ...given]),
      crashes: this.#app.lives - 1,
      faults: this.#site.failed,
    };
  }

  #answerOf(asked: App['asked'][number], requests: readonly StoredRequest[]): Answer {
    const { wish, acceptance, told, isHanging, isAskedAgain } = asked;
    const records = requests.filter(({ tags }) => tags.includes(`w${wish.n}`));
    const ends = Math.max(0, ...records.map(({ id }) => this.#app.ends.get(id) ?? 0));
    return { wish, acceptance, told, isHanging, isAskedAgain, ends, records };
  }
}
