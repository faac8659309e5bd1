import { isTerminal } from '../types/states.ts';
import type { Attempts } from './attempts.ts';
import type { Callers } from './callers.ts';
import type { Context } from './context.ts';
import type { Credentials } from './credentials.ts';
import { notFound } from './lookup.ts';
import { readSender } from './senders.ts';
import type { Teller } from './tell.ts';
import { messageOf } from './tell.ts';
import type { Zones } from './zones.ts';

/** Waiting callers looked up per notification. */
const LOOKUPS = 200;
/** Requests looked up per notification of which something is remembered here. */
const REMEMBERED_LOOKUPS = 100;

/** What this process remembers of requests until they end, which may be elsewhere. */
export interface Remembered {
  /** Ids, at any place of which more may come and go. */
  ids(): Iterator<string>;
  /** Those the store may not have yet. */
  pending(): ReadonlySet<string>;
}

export interface WatcherEvents {
  wake(): void;
  /** A request is held whose principal this process may know. */
  held(): void;
  /** Requests may be due at another time now. */
  look(): void;
  /** A principal may have left, or be back. */
  loadSeals(): Promise<void>;
}

/** Follows what other processes do to the same store: new work for our zones, answers for our callers. */
export class Watcher {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #credentials: Credentials;
  readonly #callers: Callers;
  readonly #attempts: Attempts;
  readonly #teller: Teller;
  readonly #remembered: Remembered;
  readonly #events: WatcherEvents;
  #walk: Iterator<string> | undefined;
  #unwatch: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  /** Any request may have ended since the last look, not only those of which it was told. */
  #isAny = false;
  readonly #told = new Set<string>();
  #offset = 0;

  constructor(
    context: Context,
    zones: Zones,
    parts: {
      readonly credentials: Credentials;
      readonly callers: Callers;
      readonly attempts: Attempts;
      readonly teller: Teller;
      readonly remembered: Remembered;
    },
    events: WatcherEvents,
  ) {
    this.#context = context;
    this.#zones = zones;
    this.#credentials = parts.credentials;
    this.#callers = parts.callers;
    this.#attempts = parts.attempts;
    this.#teller = parts.teller;
    this.#remembered = parts.remembered;
    this.#events = events;
  }

  start(): void {
    this.#unwatch = this.#context.backend.requests.watch((ended) => this.#changed(ended));
  }

  async stop(): Promise<void> {
    this.#unwatch?.();
    this.#again = false;
    await this.#running;
  }

  /** Reads from the counters which channels and senders have work that this process can do. */
  async survey(): Promise<void> {
    const rows = await this.#context.backend.requests.count({});
    let isHeld = false;
    for (const row of rows) {
      if (row.count === 0 || isTerminal(row.state)) continue;
      const zone = this.#zones.named(row.zone);
      if (zone === undefined) continue;
      const isOfPrincipal = readSender(row.sender).kind === 'principal';
      if (row.state === 'held') isHeld ||= isOfPrincipal;
      if (row.state === 'unknown' && isOfPrincipal) {
        zone.doubtSenders.add(row.sender);
        this.#zones.channelNamed(zone, row.channel);
      }
      if (!this.#zones.canSend(row.sender, (principal) => this.#credentials.live.knows(principal))) continue;
      zone.senders.add(row.sender);
      this.#zones.channelNamed(zone, row.channel).hint();
    }
    if (isHeld) this.#events.held();
    this.#events.wake();
    this.#events.look();
  }

  #changed(ended: readonly string[] | undefined): void {
    if (ended === undefined) this.#isAny = true;
    else for (const id of ended) if (this.#callers.has(id)) this.#told.add(id);
    this.#follow();
  }

  #follow(): void {
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#running = this.#look()
      .catch((error: unknown) => this.#context.logger.warn('changes were not followed', { error: messageOf(error) }))
      .finally(() => {
        this.#running = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.#follow();
      });
  }

  async #look(): Promise<void> {
    const isAny = this.#isAny;
    const told = [...this.#told].filter((id) => !this.#attempts.flights.has(id));
    this.#isAny = false;
    this.#told.clear();
    for (let from = 0; from < told.length; from += LOOKUPS) await this.#lookUp(told.slice(from, from + LOOKUPS));
    await this.#events.loadSeals();
    await this.survey();
    if (isAny) await this.checkCallers();
  }

  /** Looks up what callers wait for, or anything is kept of, that is not under way here: it may have ended, or been held, unseen. */
  async checkCallers(): Promise<void> {
    const pending = this.#remembered.pending();
    const isElsewhere = (id: string): boolean => !this.#attempts.flights.has(id) && !pending.has(id);
    const waiting = this.#callers.ids().filter(isElsewhere);
    // Round robin: a notification costs the same however many wait.
    if (this.#offset >= waiting.length) this.#offset = 0;
    const page = waiting.slice(this.#offset, this.#offset + LOOKUPS);
    this.#offset += LOOKUPS;
    const ids = [...new Set([...page, ...this.#nextRemembered().filter(isElsewhere)])];
    if (ids.length > 0) await this.#lookUp(ids);
  }

  async #lookUp(ids: readonly string[]): Promise<void> {
    try {
      const records = await this.#context.backend.requests.get({ ids });
      for (const [index, record] of records.entries()) {
        if (record === undefined)
          this.#gone(ids[index] as string); // one each
        else this.#teller.tellRecord(record);
      }
    } catch (error) {
      this.#context.logger.warn('could not look up requests', { count: ids.length, error: messageOf(error) });
    }
  }

  /** It ended elsewhere, and its record is deleted already. */
  #gone(id: string): void {
    this.#teller.forget(id);
    this.#callers.fail(id, notFound(id));
  }

  /** The next few, round robin too, without a list of all. */
  #nextRemembered(): string[] {
    const ids: string[] = [];
    this.#walk ??= this.#remembered.ids();
    while (ids.length < REMEMBERED_LOOKUPS) {
      const next = this.#walk.next();
      if (next.done === true) {
        this.#walk = undefined;
        break;
      }
      ids.push(next.value);
    }
    return ids;
  }
}
