import { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { StoredRequest } from '../../../src/queue/types/request.ts';
import { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';
import { DIST } from '../../processes/support/child.ts';
import { Course } from './Course.ts';
import { Crew } from './Crew.ts';
import type { Findings } from './judge.ts';
import { judge } from './judge.ts';
import type { Deed } from './mischief.ts';
import { Mischief } from './mischief.ts';
import type { Intent, ProducerOrder, QueueOrder, SharedBackend } from './order.ts';
import { Producers } from './Producers.ts';
import { summarise } from './summary.ts';
import type { Temper } from './tempers.ts';
import { whileMoving } from './within.ts';

/** Callers of a producer at once. */
const CALLERS = 10;
/** Of each kind. Prime to the number of kinds, so that every lane of each kind is used. */
const LANES = 7;
const PAGE = 1000;

export interface CampaignOptions {
  readonly backend: SharedBackend;
  readonly seed: string;
  readonly requests: number;
  readonly deeds: Readonly<Record<Deed, number>>;
  readonly leaseMs: number;
  /** One worker for each: how far its clocks are from ours. */
  readonly clockOffsetsMs: readonly number[];
  readonly producers: number;
  /** Each of the ten callers of a producer waits for the result of every so many of its requests: this bounds what waits. */
  readonly awaitEvery: number;
  readonly temper: Temper;
  /** So long without an application before all has ended is too long. */
  readonly standstillMs: number;
  /** Takes a line for each thing that happens. */
  readonly report: (line: string) => void;
}

export interface Verdict {
  readonly findings: Findings;
  /** What else went wrong: processes that ended by themselves, or did not end when told; a standstill. */
  readonly mishaps: readonly string[];
  readonly accepted: number;
  /** Requests that arrived again and were known by their key. */
  readonly replayed: number;
  readonly kills: number;
  readonly pauses: number;
  readonly producerKills: number;
  /** All of it in words. */
  readonly summary: readonly string[];
}

/** Workers and producers over one store, somebody who kills and stops them, and a server that remembers. */
class Campaign {
  readonly #options: CampaignOptions;
  readonly #server: ScriptedServer;
  readonly #order: QueueOrder;
  readonly #course: Course;
  readonly #crew: Crew;
  readonly #producers = new Producers();
  readonly #mishaps: string[] = [];

  constructor(options: CampaignOptions, server: ScriptedServer, course: Course) {
    const { backend, seed, leaseMs } = options;
    this.#options = options;
    this.#server = server;
    this.#course = course;
    this.#order = { dist: DIST, name: `c-${seed}`, backend, origin: server.origin, leaseMs, clockOffsetMs: 0 };
    this.#crew = new Crew(options.clockOffsetsMs.map((clockOffsetMs) => ({ ...this.#order, clockOffsetMs })));
  }

  async run(): Promise<Verdict> {
    const { seed, standstillMs } = this.#options;
    await this.#crew.opened();
    const mischief = new Mischief({
      ...this.#options,
      random: seededRandom(`${seed}/mischief`),
      crew: this.#crew,
      producers: this.#producers,
    });
    this.#course.onApplied = (count) => mischief.reached(count);
    await using observer = this.#observer();
    try {
      await whileMoving(this.#work(observer), () => this.#course.quietMs, standstillMs, 'everything to end');
    } catch (error) {
      this.#mishaps.push(String(error));
      await this.#producers.kick(); // what they said so far counts
    }
    await this.#crew.close();
    return this.#verdict(await recordsOf(observer));
  }

  /** Ends every process. */
  async end(): Promise<void> {
    await Promise.all([this.#crew.kick(), this.#producers.kick()]);
  }

  async #work(observer: QueueManager): Promise<void> {
    await this.#producers.run(this.#producerOrders());
    await observer.start();
    await observer.idle();
  }

  #producerOrders(): Omit<ProducerOrder, 'firstIntent'>[] {
    const { producers, requests, awaitEvery } = this.#options;
    return Array.from({ length: producers }, (_, index) => ({
      ...this.#order,
      producer: `p${index + 1}`,
      requests: Math.ceil(requests / producers),
      callers: CALLERS,
      awaitEvery,
      lanes: LANES,
    }));
  }

  /** Sees the store as any process of the queue does, and sends nothing. */
  #observer(): QueueManager {
    const { name, backend, leaseMs, origin } = this.#order;
    const zones = { api: { origins: [origin], idempotency: 'ietf' as const } };
    return new QueueManager({ config: { name, backend, leaseMs, zones, dispatch: false } });
  }

  #verdict(records: ReadonlyMap<string, StoredRequest>): Verdict {
    const { accepted, told, kills: producerKills } = this.#producers;
    const { kills, pauses } = this.#crew;
    const { entries } = this.#server.ledger;
    const findings = judge({ accepted, told, entries, records });
    const mishaps = [...this.#crew.mishaps, ...this.#mishaps];
    const summary = summarise({
      findings,
      mishaps,
      producers: this.#producers,
      crew: this.#crew,
      entries,
      records,
      course: this.#course,
    });
    const replayed = entries.filter(({ outcome }) => outcome === 'replayed').length;
    return { findings, mishaps, accepted: accepted.length, replayed, kills, pauses, producerKills, summary };
  }
}

/** Runs a campaign, judges it by the server's log and by what the store has, and ends all it started. */
export async function runCampaign(options: CampaignOptions): Promise<Verdict> {
  const course = new Course();
  const server = await ScriptedServer.start({
    respond: ({ body }) => {
      const intent = JSON.parse(body) as Intent;
      course.applied(intent);
      return { status: 200, body: { intent: intent.intent } };
    },
  });
  server.script.always(options.temper(seededRandom(`${options.seed}/server`).number));
  const campaign = new Campaign(options, server, course);
  try {
    return await campaign.run();
  } finally {
    await campaign.end();
    await server.close();
  }
}

async function recordsOf(observer: QueueManager): Promise<Map<string, StoredRequest>> {
  await observer.start();
  const records = new Map<string, StoredRequest>();
  for (let after: number | null = null; ; ) {
    const page = await observer.find({}, { limit: PAGE, after });
    for (const record of page.requests) records.set(record.id, record);
    if (page.next === null) return records;
    after = page.next;
  }
}
