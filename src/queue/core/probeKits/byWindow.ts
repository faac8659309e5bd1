import type { Equals } from '../../strategies/conflict.ts';
import { instantMs } from '../../strategies/instant.ts';
import { valueNamed } from '../../strategies/jsonPointer.ts';
import { showsSent } from '../../strategies/showsSent.ts';
import type { StoredRequest } from '../../types/request.ts';
import type { ProbeFunction } from '../config/options.ts';
import type { ListOptions } from './lookup.ts';
import { appliedAs, INCONCLUSIVE, readList, sentFields } from './lookup.ts';

/** How {@link byWindow} looks. */
export interface WindowOptions extends ListOptions {
  /** Path, with query, of the list of what this principal made at `from` (epoch ms) or later. */
  readonly path: (request: StoredRequest, from: number) => string;
  /** Field of an item, by name or JSON pointer, that says when it was made. */
  readonly createdAt: string;
  /** How far the clock of the server may be behind. @default 60_000 (1 min) */
  readonly skewMs?: number | undefined;
  /** Whether the server shows a field as it was sent; asked where the values differ. */
  readonly equals?: Equals | undefined;
}

const SKEW_MS = 60_000;

/**
 * Probes a create by what was made since it was first sent. It was applied where exactly one thing of that time shows all that was sent;
 * none, or several, show nothing. For things that nobody else makes alike: of two equal creates one is taken for the other.
 */
export function byWindow(options: WindowOptions): ProbeFunction {
  const { createdAt, skewMs = SKEW_MS, equals } = options;
  return async (context) => {
    const { request } = context;
    const sent = sentFields(request);
    if (sent === undefined || request.firstSentAt === null) return INCONCLUSIVE;
    const from = request.firstSentAt - skewMs;
    const list = await readList(context, options.path(request, from), options);
    if (list === undefined || list.isPartial) return INCONCLUSIVE;
    const alike = list.items.filter((item) => showsSent(item, sent, equals));
    const times = alike.map((item) => instantMs(valueNamed(item, createdAt)));
    const found = alike.filter((_, index) => (times[index] ?? 0) >= from);
    const [item = null] = found;
    return found.length === 1 && !times.includes(undefined) ? appliedAs(item, options) : INCONCLUSIVE;
  };
}
