import type { SharedState, SharedValue } from '../../types/backend.ts';
import type { Json } from '../../types/request.ts';
import type { Call, PackedShared } from './protocol.ts';

/** Small shared values, as calls to the thread that owns the database. */
export function sharedStateOver(call: Call): SharedState {
  return {
    get: ({ key, now }) => call('sharedGet', [key, now], (found) => (found === undefined ? undefined : unpack(found))),
    set: ({ key, value, expiresAt, now, ifVersion }) =>
      call('sharedSet', [key, JSON.stringify(value), expiresAt, now, ifVersion ?? null], (version) => version),
    delete: ({ key }) => call('sharedDelete', key, (deleted) => deleted),
    list: ({ prefix, now, limit }) =>
      call('sharedList', [prefix, now, limit], (found) => found.map(([key, packed]) => ({ key, ...unpack(packed) }))),
    acquire: ({ key, holder, permits, now, expiresAt }) =>
      call('acquire', [key, holder, permits, now, expiresAt], (acquired) => acquired),
    release: ({ key, holder }) => call('release', [key, holder], (released) => released),
    take: ({ key, cost, ratePerSecond, burst, now }) =>
      call('take', [key, cost, ratePerSecond, burst, now], (waitMs) => waitMs),
  };
}

function unpack([text, version, expiresAt]: PackedShared): SharedValue {
  return { value: JSON.parse(text) as Json, version, expiresAt }; // written by `set`
}
