import type { Json } from '../../types/request.ts';
import type { Context } from '../context.ts';
import { messageOf } from '../tell.ts';
import type { Gates } from './Gates.ts';

/** What a breaker learned is worth keeping for so long. */
const KEPT_MS = 24 * 3_600_000;
/** As many scopes as a process tells apart. */
const MOST = 1_100;
const PREFIX = 'breaker:';

/**
 * Keeps breakers in the store, so that a restart goes on where it stopped and processes hear of each other. What another one says is
 * advice: a process that has met no failure itself does not follow it, so that one machine with a bad network cannot close a zone
 * for all. Without the store each breaker goes on by what it sees.
 */
export class GateStore {
  readonly #context: Context;
  /** What is stored of scopes that were not made yet, and what was last seen of the others. */
  readonly #stored = new Map<string, { readonly version: number; readonly value: Json }>();
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
      if (version !== undefined) this.#stored.set(gates.scope, { version, value });
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
      const known = this.#stored.get(scope);
      if (known?.version === version) continue;
      this.#stored.set(scope, { version, value });
      const gates = this.#gates.get(scope);
      if (gates === undefined) continue;
      if (this.#isLoaded) this.#advise(gates, value);
      else this.#restore(gates, value);
    }
    this.#isLoaded = true;
  }

  #restore({ breaker }: Gates, value: Json): void {
    const { clock } = this.#context;
    breaker?.restore(value, clock.now(), clock.monotonicNow());
  }

  #advise({ breaker, scope }: Gates, value: Json): void {
    if (breaker === null || typeof value !== 'object' || value === null || !('openUntil' in value)) return;
    const { openUntil } = value;
    const { clock, logger } = this.#context;
    if (typeof openUntil !== 'number' || openUntil <= clock.now()) return;
    const now = clock.monotonicNow();
    const isTaken = breaker.advise(now + openUntil - clock.now(), now);
    if (isTaken) logger.info('a zone is left alone, as another process advises', { scope });
  }
}
