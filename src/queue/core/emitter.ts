import { EventEmitter } from 'eventemitter3';
import type { Problem } from '../../errors.ts';
import { HoldfastError } from '../../errors.ts';
import { problemWords } from '../../problemWords.ts';
import { suggestion } from '../../suggestion.ts';
import type { Clock } from '../../system/clock.ts';
import { EVENT_NAMES } from '../types/eventNames.ts';
import type { EventSource, QueueEventMap, QueueEventName } from '../types/events.ts';
import type { Logger } from '../types/logger.ts';

/** An event without what every event has. */
export type EventBody<N extends QueueEventName> = Omit<QueueEventMap[N], 'at' | 'queue'>;

type Listener = (event: unknown) => void;

/**
 * The one way events leave the engine. A listener that throws, or whose promise rejects, is logged and never reaches the
 * engine; an event nobody listens to is not built.
 */
export class Emitter implements EventSource {
  readonly #emitter = new EventEmitter<Record<string, (event: unknown) => void>>();
  readonly #queue: string;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(queue: string, clock: Clock, logger: Logger) {
    this.#queue = queue;
    this.#clock = clock;
    this.#logger = logger;
  }

  on<N extends QueueEventName>(name: N, listener: (event: QueueEventMap[N]) => void): () => void {
    assertEvent(name, listener);
    const guarded: Listener = (event) => {
      try {
        const returned: unknown = (listener as Listener)(event);
        if (returned instanceof Promise) returned.catch((error: unknown) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
    };
    this.#emitter.on(name, guarded);
    return () => void this.#emitter.off(name, guarded);
  }

  /** Whether building the event is worth it. */
  hears(name: QueueEventName): boolean {
    return this.#emitter.listenerCount(name) > 0;
  }

  emit<N extends QueueEventName>(name: N, body: EventBody<N>): void {
    if (this.#emitter.listenerCount(name) === 0) return;
    // The body is ours and fresh: completing it in place spares a copy per event.
    const event = Object.assign(body, { at: this.#clock.now(), queue: this.#queue });
    this.#emitter.emit(name, Object.freeze(event));
  }

  #failed(name: string, error: unknown): void {
    this.#logger.error('a listener failed', {
      event: name,
      error: error instanceof Error ? error.message : String(error),
    });
  }
}

/** Of a name that is misspelt nothing would ever be heard. */
function assertEvent(name: unknown, listener: unknown): void {
  const problems: Problem[] = [];
  if (!EVENT_NAMES.has(name)) {
    const expected = suggestion(String(name), [...EVENT_NAMES].map(String));
    problems.push({ path: 'event', expected, got: String(name) });
  }
  if (typeof listener !== 'function') problems.push({ path: 'listener', expected: 'a function', got: typeof listener });
  if (problems.length === 0) return;
  throw new HoldfastError('REQUEST_INVALID', `nothing can be listened to: ${problemWords(problems)}`, { problems });
}
