import type { Json } from '../../types/request.ts';
import type { Context } from '../context.ts';
import { messageOf } from '../tell.ts';
import type { Gates } from './Gates.ts';

/** What a breaker learned is worth keeping for so long. */
const KEPT_MS = 24 * 3_600_000;
/** As many scopes as a process tells apart. */
const MOST = 1_100;
const PREFIX = 'breaker:';
/** Who follows advice tries the zone so much earlier than who gave it: nobody is kept away for ever by one that always fails. */
const HEAD_START_MS = 100;

interface Stored {
  readonly version: number;
  readonly value: Json;
  /** It is our own, or was followed. */
  readonly isDone: boolean;
}

/**
 * Keeps breakers in the store, so that a restart goes on where it stopped and processes hear of each other. What another one says is
 * advice: a process that has met no failure itself does not follow it, so that one machine with a bad network cannot close a zone
 * for all. Without the store each breaker goes on by what it sees.
 */
export class GateStore {
  readonly #context: Context;
  /** What is stored of scopes that were not made yet, and what was last seen of the others. */
  readonly #stored = new Map<string, Stored>();
  readonly #gates = new Map<string, Gates>();
  #isLoaded = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** A scope was made: it goes on where it stood. */
  made(gates: Gates): void {
    this.#gates.set(gates.scope, gates);
    const stored = this.#stored.get(gates.scope);
    if (stored !== undefined) this.#restore(gates, stored.value);
  }

  forgotten(scope: string): void {
    this.#gates.delete(scope);
  }

  /** A breaker moved. Never rejects. */
  async save(gates: Gates): Promise<void> {
    if (gates.breaker === null || !this.#isLoaded) return;
    const { backend, clock, logger } = this.#context;
    const now = clock.now();
    const value = { ...gates.breaker.snapshot(now, clock.monotonicNow()) };
    try {
      const key = PREFIX + gates.scope;
      const version = await backend.shared.set({ key, value, expiresAt: now + KEPT_MS, now });
      if (version !== undefined) this.#stored.set(gates.scope, { version, value, isDone: true });
    } catch (error) {
      logger.debug('the state of a breaker was not stored', { scope: gates.scope, error: messageOf(error) });
    }
  }

  /** Reads what is stored: at the start to go on from it, later as what others advise. */
  async load(): Promise<void> {
    const { backend, clock } = this.#context;
    // What time alone brought about is told though nobody calls the zone.
    for (const { breaker } of this.#gates.values()) breaker?.status(clock.monotonicNow());
    if (this.#isLoaded && !backend.capabilities.shared) return;
    const rows = await backend.shared.list({ prefix: PREFIX, now: clock.now(), limit: MOST });
    for (const { key, version, value } of rows) {
      const scope = key.slice(PREFIX.length);
      const gates = this.#gates.get(scope);
      if (this.#isLoaded) this.#heard(scope, version, value);
      else {
        this.#stored.set(scope, { version, value, isDone: false });
        if (gates !== undefined) this.#restore(gates, value);
      }
    }
    this.#isLoaded = true;
  }

  /** What another process found out of these gates last, before this one tries them itself. */
  async hear({ scope }: Gates): Promise<void> {
    const { backend, clock } = this.#context;
    const stored = await backend.shared.get({ key: PREFIX + scope, now: clock.now() });
    if (stored !== undefined) this.#heard(scope, stored.version, stored.value);
  }

  /** Also what was heard before and not followed: a call may have failed here since. */
  #heard(scope: string, version: number, value: Json): void {
    const known = this.#stored.get(scope);
    if (known?.version === version && known.isDone) return;
    const gates = this.#gates.get(scope);
    this.#stored.set(scope, { version, value, isDone: gates !== undefined && this.#advise(gates, value) });
  }

  #restore({ breaker }: Gates, value: Json): void {
    const { clock } = this.#context;
    breaker?.restore(value, clock.now(), clock.monotonicNow());
  }

  /** Whether it was followed. */
  #advise({ breaker, scope }: Gates, value: Json): boolean {
    if (breaker === null || typeof value !== 'object' || value === null || !('openUntil' in value)) return false;
    const { openUntil } = value;
    const { clock, logger } = this.#context;
    if (typeof openUntil !== 'number' || openUntil <= clock.now()) return false;
    const now = clock.monotonicNow();
    const isTaken = breaker.advise(now + openUntil - HEAD_START_MS - clock.now(), now);
    if (isTaken) logger.info('a zone is left alone, as another process advises', { scope });
    return isTaken;
  }
}
