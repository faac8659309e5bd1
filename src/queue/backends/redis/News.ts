import type { Clock, Timer } from '../../../system/clock.ts';
import type { Connection, Subscription } from './connection.ts';
import type { RedisLink } from './RedisLink.ts';

/** Listeners are told at most so often, however much other processes do. */
const SPACING_MS = 20;
/** News can be lost on their way; so often it is asked whether anything changed. */
const POLL_MS = 1_000;

/** Tells listeners, soon, of what other handles changed: by the server's messages, and by asking now and then. */
export class News {
  readonly #clock: Clock;
  readonly #link: RedisLink;
  readonly #subscription: Subscription;
  readonly #listeners = new Set<() => void>();
  #isSubscribed = false;
  #spacing: Timer | undefined;
  #poll: Timer | undefined;
  #isDue = false;
  #revision: number | undefined;

  constructor(connection: Connection, link: RedisLink, clock: Clock, channel: string) {
    this.#clock = clock;
    this.#link = link;
    this.#subscription = connection.listen(channel, (handle) => {
      if (handle !== link.handle) this.#tell();
    });
  }

  watch(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#look();
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.stop();
    };
  }

  stop(): void {
    this.#listeners.clear();
    this.#spacing?.cancel();
    this.#spacing = undefined;
    this.#poll?.cancel();
    this.#revision = undefined;
  }

  #tell(): void {
    if (this.#listeners.size === 0) return;
    if (this.#spacing !== undefined) {
      this.#isDue = true;
      return;
    }
    this.#isDue = false;
    this.#spacing = this.#clock.schedule(SPACING_MS, () => {
      this.#spacing = undefined;
      if (this.#isDue) this.#tell();
    });
    for (const listener of [...this.#listeners]) listener();
  }

  /** Asks now, and from now on until nobody listens. */
  #look(): void {
    const again = (): void => {
      this.#poll?.cancel();
      if (this.#listeners.size > 0) this.#poll = this.#clock.schedule(POLL_MS, () => this.#look());
    };
    this.#subscribe();
    this.#ask().then(again, again);
  }

  /** Not waited for: its answer may be lost with a connection, and then the next look tries again. */
  #subscribe(): void {
    if (this.#isSubscribed) return;
    this.#subscription.subscribe().then(
      () => {
        this.#isSubscribed = true;
      },
      () => undefined,
    );
  }

  async #ask(): Promise<void> {
    const answer = await this.#link.call('look', false, { writes: false });
    answer.array();
    const revision = answer.number();
    const isNew = this.#revision !== undefined && revision !== this.#revision;
    this.#revision = revision;
    if (isNew) this.#tell();
  }
}
