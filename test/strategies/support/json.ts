import fc from 'fast-check';
import type { JsonObject } from '../../../src/queue/strategies/jsonValue.ts';
import type { Json } from '../../../src/queue/types/request.ts';

/** Names that trip up who looks further than at own properties, and some to meet each other. */
const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', 'toString', '');
/** Mostly what is falsy. */
const scalar: fc.Arbitrary<Json> = fc.constantFrom<Json[]>(null, 0, false, '', true, 1, -1.5, 'x', '0');

const { value } = fc.letrec<{ value: Json; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'json' },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
}));

/** Any JSON value, small. */
export const anyJson: fc.Arbitrary<Json> = value;

/** Any JSON object, small. */
export const anyObject: fc.Arbitrary<JsonObject> = fc
  .array(fc.tuple(name, value), { maxLength: 6 })
  .map((entries) => Object.fromEntries(entries));
