import type { Clock, Timer } from '../../../system/clock.ts';
import type { Connection, Subscription } from './connection.ts';
import { idOf } from './hex.ts';
import { Unpacker } from './msgpack.ts';
import type { RedisLink } from './RedisLink.ts';

/** Listeners are told at most so often, however much other processes do. */
const SPACING_MS = 50;
/** News can be lost on their way; so often it is asked whether anything changed. */
const POLL_MS = 1_000;

type Listener = (ended?: readonly string[]) => void;

/** Tells listeners, soon, of what other handles changed: by the server's messages, and by asking now and then. */
export class News {
  readonly #clock: Clock;
  readonly #link: RedisLink;
  readonly #subscription: Subscription;
  readonly #listeners = new Set<Listener>();
  #isSubscribed = false;
  #spacing: Timer | undefined;
  #poll: Timer | undefined;
  #isDue = false;
  /** What ended since listeners were told; undefined: it may be anything. */
  #ended: string[] | undefined = [];
  #revision: number | undefined;

  constructor(connection: Connection, link: RedisLink, clock: Clock, channel: string) {
    this.#clock = clock;
    this.#link = link;
    this.#subscription = connection.listen(channel, (message) => this.#receive(message));
  }

  watch(listener: Listener): () => void {
    const own: Listener = (ended) => listener(ended);
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

  #receive(message: Buffer): void {
    try {
      const from = new Unpacker(message);
      from.array();
      if (from.text() === this.#link.handle) return;
      this.#tell(from.isNothing() ? undefined : from.list((one) => idOf(one.bytes())));
    } catch {
      this.#tell(undefined); // whatever it says, and whoever said it: looking does no harm
    }
  }

  #tell(ended: readonly string[] | undefined): void {
    if (this.#listeners.size === 0) return;
    if (ended === undefined) this.#ended = undefined;
    else this.#ended?.push(...ended);
    if (this.#spacing !== undefined) {
      this.#isDue = true;
      return;
    }
    const told = this.#ended;
    this.#isDue = false;
    this.#ended = [];
    this.#spacing = this.#clock.schedule(SPACING_MS, () => {
      this.#spacing = undefined;
      if (this.#isDue) this.#tell([]);
    });
    for (const listener of [...this.#listeners]) {
      try {
        listener(told);
      } catch {
        // Its own; the others are told all the same.
      }
    }
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
    if (isNew) this.#tell(undefined);
  }
}
