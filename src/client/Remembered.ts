import { headerValue } from '../queue/strategies/headerValue.ts';
import { jsonOf } from '../queue/strategies/json.ts';
import type { HttpResponse, Json } from '../queue/types/request.ts';

/** Things that are remembered at once; the one that was seen longest ago is forgotten first. */
const MOST = 1_000;

/** A thing as it was last seen. */
export interface Seen {
  readonly etag: string | undefined;
  readonly snapshot: Json | undefined;
}

/** What a client last saw of the things of a resource, so that a change knows what it is based on without being told. */
export class Remembered {
  readonly #byId = new Map<string, Seen>();

  of(id: string): Seen | undefined {
    return this.#byId.get(id);
  }

  /** An answer showed it, or that it is gone. */
  note(id: string, response: HttpResponse): void {
    const { status } = response;
    if (status === 404 || status === 410 || status === 204) {
      this.#byId.delete(id);
      return;
    }
    if (status < 200 || status > 299) return;
    this.#byId.delete(id);
    this.#byId.set(id, { etag: headerValue(response.headers, 'etag'), snapshot: jsonOf(response.body) });
    const oldest = this.#byId.keys().next().value;
    if (this.#byId.size > MOST && oldest !== undefined) this.#byId.delete(oldest);
  }
}
