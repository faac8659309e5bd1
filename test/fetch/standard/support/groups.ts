import { ABORT_AFTER } from '../groups/abortAfter.ts';
import { ABORT_BEFORE } from '../groups/abortBefore.ts';
import { ABORT_REQUEST } from '../groups/abortRequest.ts';
import { BODY_PRESENCE } from '../groups/bodyPresence.ts';
import { BROKEN } from '../groups/broken.ts';
import { ENCODING } from '../groups/encoding.ts';
import { HEADERS } from '../groups/headers.ts';
import { IDENTITY } from '../groups/identity.ts';
import { INIT } from '../groups/init.ts';
import { PROGRESSIVE } from '../groups/progressive.ts';
import { REDIRECT } from '../groups/redirect.ts';
import { REDIRECT_CONTENT } from '../groups/redirectContent.ts';
import { REFUSALS } from '../groups/refusals.ts';
import { REQUEST_BODIES } from '../groups/requestBodies.ts';
import { SCHEMES } from '../groups/schemes.ts';
import { SHAPE } from '../groups/shape.ts';
import { STATUSES } from '../groups/statuses.ts';
import { WIRE } from '../groups/wire.ts';
import type { Group } from './types.ts';

/** Everything that is held to be true of fetch, by topic. */
export const GROUPS: readonly Group[] = [
  SHAPE,
  INIT,
  SCHEMES,
  REFUSALS,
  WIRE,
  REQUEST_BODIES,
  IDENTITY,
  HEADERS,
  STATUSES,
  BODY_PRESENCE,
  ENCODING,
  PROGRESSIVE,
  REDIRECT,
  REDIRECT_CONTENT,
  ABORT_BEFORE,
  ABORT_REQUEST,
  ABORT_AFTER,
  BROKEN,
];
