import type { Equals } from '../../strategies/conflict.ts';
import { deepEqual } from '../../strategies/deepEqual.ts';
import { jsonOf } from '../../strategies/json.ts';
import { valueAt } from '../../strategies/jsonPointer.ts';
import type { JsonObject } from '../../strategies/jsonValue.ts';
import { showsSent } from '../../strategies/showsSent.ts';
import type { Json, StoredRequest } from '../../types/request.ts';
import type { ProbeFunction, ProbeVerdict } from '../config/options.ts';
import { INCONCLUSIVE, isSuccess, NOT_APPLIED, sentFields } from './lookup.ts';

/** How {@link byVersion} looks. */
export interface VersionOptions {
  /** JSON pointer to the version, in what is read and in the request's `base`: a number that every change raises by one. */
  readonly version: string;
  /** Where to read what the request changes. @default the path of the request */
  readonly path?: ((request: StoredRequest) => string) | undefined;
  /** Whether the server shows a field as it was sent; asked where the values differ. */
  readonly equals?: Equals | undefined;
}

const APPLIED: ProbeVerdict = Object.freeze({ outcome: 'applied' });

/**
 * Probes a change of something that counts its versions. It was applied where the version is one higher than that of the `base` and all that was
 * sent is shown, and was not where the version is still the same; a DELETE was applied where nothing is there. Anything else shows nothing.
 */
export function byVersion(options: VersionOptions): ProbeFunction {
  const { version, equals } = options;
  return async (context) => {
    const { request } = context;
    const before = valueAt(request.base, version);
    if (!isVersion(before)) return INCONCLUSIVE;
    const path = options.path?.(request) ?? request.content.path;
    const response = await context.send({ method: 'GET', path });
    const isDelete = request.content.method === 'DELETE';
    if (response.status === 404 || response.status === 410) return isDelete ? APPLIED : INCONCLUSIVE;
    const remote = isSuccess(response) ? jsonOf(response.body) : undefined;
    const after = remote === undefined ? undefined : valueAt(remote, version);
    if (remote === undefined || !isVersion(after)) return INCONCLUSIVE;
    if (deepEqual(before, after)) return NOT_APPLIED;
    const sent = isDelete ? {} : withoutVersion(sentFields(request) ?? {}, version);
    const isShown = Object.keys(sent).length > 0 && showsSent(remote, sent, equals);
    return isShown && isNext(before, after) ? APPLIED : INCONCLUSIVE;
  };
}

/** A number that was not rounded when it was read, or a text. */
function isVersion(value: Json | undefined): value is number | string {
  return Number.isSafeInteger(value) || (typeof value === 'string' && value !== '');
}

function isNext(before: number | string, after: number | string): boolean {
  if (typeof before !== typeof after) return false;
  const counts = /^\d{1,30}$/;
  return counts.test(`${before}`) && counts.test(`${after}`) && BigInt(before) + 1n === BigInt(after);
}

/** The version is sent as it was before. */
function withoutVersion(sent: JsonObject, version: string): JsonObject {
  return Object.fromEntries(
    Object.entries(sent).filter(([field]) => valueAt({ [field]: null }, version) === undefined),
  );
}
