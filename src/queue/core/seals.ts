import type { NewRequest } from '../types/request.ts';
import type { Context } from './context.ts';
import type { Teller } from './tell.ts';
import { messageOf } from './tell.ts';

const PREFIX = 'sealed:';
const WAITING = ['ready', 'scheduled', 'blocked'] as const;
/** Sealed principals that are known: more users than that do not share one device. */
const MOST = 10_000;

/** Principals whose requests are kept and not sent. Stored, so that they stay sealed after a restart and in other processes. */
export class Seals {
  readonly #context: Context;
  #sealed: ReadonlySet<string> = new Set();

  constructor(context: Context) {
    this.#context = context;
  }

  has(principal: string): boolean {
    return this.#sealed.has(principal);
  }

  /** Whether it is sealed by now: it may have come back through another process. Asks the store only for one that was. */
  async keeps(principal: string): Promise<boolean> {
    if (!this.has(principal)) return false;
    try {
      await this.load();
    } catch (error) {
      this.#context.logger.warn('whether a principal is back was not found out', { error: messageOf(error) });
    }
    return this.has(principal);
  }

  /** Those that are known to be sealed. */
  get principals(): ReadonlySet<string> {
    return this.#sealed;
  }

  /** Reads what is sealed, by whomever. */
  async load(): Promise<void> {
    const { backend, clock } = this.#context;
    const stored = await backend.shared.list({ prefix: PREFIX, now: clock.now(), limit: MOST });
    this.#sealed = new Set(stored.map(({ key }) => key.slice(PREFIX.length)));
  }

  /** Sets aside what was accepted for one who is away: its caller is told so, whatever else it would wait for. */
  async hold({ id, zone, principal }: Pick<NewRequest, 'id' | 'zone' | 'principal'>, teller: Teller): Promise<void> {
    if (!(await this.keeps(principal))) return;
    const { backend, clock, emitter } = this.#context;
    const changes = [{ id, from: WAITING, to: { state: 'held', reason: 'principal' } as const }];
    const [result] = await backend.requests.amend({ now: clock.now(), changes });
    if (result?.status !== 'amended') return;
    emitter.emit('request:held', { requestId: id, zone, reason: 'principal' });
    teller.moved(result.moved);
    await teller.lookUp([id]);
  }

  async seal(principal: string): Promise<void> {
    const { backend, clock } = this.#context;
    const now = clock.now();
    await backend.shared.set({ key: PREFIX + principal, value: now, expiresAt: null, now });
    this.#sealed = new Set(this.#sealed).add(principal);
  }

  async unseal(principal: string): Promise<void> {
    await this.#context.backend.shared.delete({ key: PREFIX + principal });
    this.#sealed = new Set([...this.#sealed].filter((one) => one !== principal));
  }
}
