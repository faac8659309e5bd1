import { onTestFinished } from 'vitest';
import { ScriptedServer } from '../../../../src/testing/ScriptedServer.ts';
import type { LedgerEntry } from '../../../../src/testing/ServerLedger.ts';
import type { ReceivedRequest, ServerAnswer } from '../../../../src/testing/serverSteps.ts';
import { UNHEARD } from '../../../../src/testing/serverSteps.ts';
import type { AppliedChange, RestApiOptions } from '../../../support/RestApi.ts';
import { RestApi } from '../../../support/RestApi.ts';

/** What a server saw of writes, each arrival being one of the other three. */
export interface Saw {
  readonly arrivals: number;
  /** That changed something. */
  readonly applied: number;
  /** Known again by their key, and answered as before. */
  readonly replayed: number;
  /** Refused, or neither applied nor answered. */
  readonly refused: number;
  readonly reads: number;
}

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** A real server on the loopback with an API of things behind it, closed with the test. */
export class Site {
  readonly api: RestApi;
  readonly server: ScriptedServer;
  /** Requests that are on their way still, though their client has long written them. */
  readonly #late: Map<number, ReceivedRequest>;

  private constructor(api: RestApi, server: ScriptedServer, late: Map<number, ReceivedRequest>) {
    this.api = api;
    this.server = server;
    this.#late = late;
  }

  static async open(options: RestApiOptions & { readonly keyHeader?: string | undefined } = {}): Promise<Site> {
    const { keyHeader, ...rest } = options;
    const api = new RestApi(rest);
    const late = new Map<number, ReceivedRequest>();
    const respond = (request: ReceivedRequest): ServerAnswer => (late.has(request.n) ? UNHEARD : api.respond(request));
    const site = new Site(api, await ScriptedServer.start({ respond, keyHeader }), late);
    onTestFinished(() => site.server.close());
    return site;
  }

  /** Parks the next write, as a proxy does, until it lands. */
  parkNext(): void {
    let isParked = false;
    this.parkAll(({ method }) => {
      if (isParked || READS.has(method)) return false;
      isParked = true;
      return true;
    });
  }

  /** Parks what is meant. */
  parkAll(isMeant: (request: ReceivedRequest) => boolean): void {
    this.server.script.always((request) => {
      if (!isMeant(request)) return undefined;
      this.#late.set(request.n, request);
      return { kind: 'park', apply: false };
    });
  }

  /** What was parked comes to the server, whoever waits for it. */
  land(): void {
    for (const [n, request] of this.#late) {
      this.#late.delete(n);
      this.server.ledger.apply(request, this.api.respond);
    }
  }

  url(path: string): string {
    return `${this.server.origin}${path}`;
  }

  /** Writes that arrived, each with what became of it last. */
  arrivals(isMeant: (entry: LedgerEntry) => boolean = () => true): readonly LedgerEntry[] {
    const writes = this.server.ledger.entries.filter((entry) => !READS.has(entry.request.method) && isMeant(entry));
    return [...new Map(writes.map((entry) => [entry.request.n, entry])).values()];
  }

  changes(isMeant: (change: AppliedChange) => boolean = () => true): readonly AppliedChange[] {
    return this.api.changes.filter(isMeant);
  }

  /** Of all, or of those whose method and path fit: `POST /notes`. */
  saw(what = ''): Saw {
    const fits = ({ method, path }: { readonly method: string; readonly path: string }): boolean =>
      `${method} ${path}`.startsWith(what);
    const arrivals = this.arrivals(({ request }) => fits(request));
    const applied = this.changes(fits).length;
    const replayed = arrivals.filter(({ outcome }) => outcome === 'replayed').length;
    const reads = this.server.ledger.entries.filter(({ request }) => READS.has(request.method)).length;
    return {
      arrivals: arrivals.length,
      applied,
      replayed,
      refused: arrivals.length - applied - replayed,
      reads,
    };
  }
}

export function told({ arrivals, applied, replayed, refused, reads }: Saw): string {
  return `arrivals ${arrivals} applied ${applied} replayed ${replayed} refused ${refused} reads ${reads}`;
}
