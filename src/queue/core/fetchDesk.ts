import type { HoldfastError } from '../../errors.ts';
import type { RequestHandle, RequestInput, RequestOptions } from '../types/calls.ts';
import type { FetchCall, FetchOptions, FetchQueue } from '../types/fetch.ts';
import type { StoredRequest } from '../types/request.ts';
import type { Ambient } from './ambient.ts';
import { fill } from './ambient.ts';
import type { Calls } from './calls.ts';
import type { Engine } from './Engine.ts';
import { FetchSettingsTable } from './fetchSettings.ts';
import { Standstill } from './standstill.ts';

/** What `fetch` is given of a running queue. */
export class FetchDesk implements FetchQueue {
  readonly maxBytes: number;
  readonly #engine: Engine;
  readonly #calls: Calls;
  readonly #ambient: Ambient;
  readonly #settings: FetchSettingsTable;
  readonly #standstill: Standstill;

  constructor(engine: Engine, calls: Calls, ambient: Ambient) {
    const { config, clock, emitter } = engine.context;
    this.maxBytes = config.maxBytes;
    this.#engine = engine;
    this.#calls = calls;
    this.#ambient = ambient;
    this.#settings = new FetchSettingsTable(config);
    this.#standstill = new Standstill(clock, emitter, engine.gates.failover);
  }

  fetchCall(input: RequestInput, options: RequestOptions, call: FetchCall): RequestHandle {
    return this.#calls.fetch(input, options, call);
  }

  call(input: RequestInput, options?: RequestOptions): RequestHandle {
    return this.#calls.call(input, options);
  }

  callHandle(id: string): RequestHandle {
    return this.#calls.handle(id);
  }

  async get(id: string): Promise<StoredRequest | undefined> {
    const [record] = await this.#engine.context.backend.requests.get({ ids: [id] });
    return record;
  }

  async withdraw(handle: RequestHandle): Promise<boolean> {
    const { id } = await handle.accepted();
    const { attempts } = this.#engine;
    for (;;) {
      const wasUnderWay = attempts.flights.has(id);
      if (await handle.cancel()) return true;
      if (!wasUnderWay && !attempts.flights.has(id)) return false;
      // The attempt may come to nothing: then it can be taken back.
      await attempts.flights.over(id);
    }
  }

  settingsOf(url: URL, method: string): FetchOptions {
    const settings = this.#settings.of(this.#engine.zones.knownOrigin(url.origin), method.toUpperCase(), url.pathname);
    const ambient = this.#ambient.options;
    return ambient === undefined ? settings : fill(ambient, settings);
  }

  standstillOf(url: URL, method: string): HoldfastError | undefined {
    const zone = this.#engine.zones.knownOrigin(url.origin);
    const mayBeStale = zone?.policy.staleReads !== undefined && (method === 'GET' || method === 'HEAD');
    return zone === undefined || mayBeStale ? undefined : this.#standstill.of(zone);
  }

  onStandstill(url: URL, stopped: (why: HoldfastError) => void): () => void {
    return this.#standstill.watch(this.#engine.zones.ofOrigin(url.origin), stopped);
  }

  after(ms: number, callback: () => void): () => void {
    const timer = this.#engine.context.clock.schedule(ms, callback);
    return () => timer.cancel();
  }
}
