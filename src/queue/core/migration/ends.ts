import { existsSync } from 'node:fs';
import type { Problem } from '../../../errors.ts';
import { HoldfastError } from '../../../errors.ts';
import { problemWords } from '../../../problemWords.ts';
import type { Clock } from '../../../system/clock.ts';
import type { Ids } from '../../../system/ids.ts';
import { createIds } from '../../../system/ids.ts';
import { systemRandom } from '../../../system/random.ts';
import type { Backend, WorkerIdentity } from '../../types/backend.ts';
import { createBackend } from '../composition.ts';
import { isRecord } from '../config/fields.ts';
import type { BackendOption, QueueOptions } from '../config/options.ts';
import { resolveConfiguration, validateConfiguration } from '../config/resolve.ts';
import { isBackend } from '../config/schema.ts';
import { currentIdentity, isGone } from '../workerIdentity.ts';

/**
 * One end of a move: a backend by kind, the configuration of its queue, or a `Backend`, which stays open and is its owner's to
 * close. A configuration's `name` counts, and as the destination its `maxSize` and `maxBytes`.
 */
export type MigrationEnd = BackendOption | QueueOptions;

export interface OpenEnd {
  readonly backend: Backend;
  readonly limits: { readonly maxSize: number; readonly maxBytes: number };
  close(): Promise<void>;
}

const UNLIMITED = { maxSize: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };
const LEASE_MS = 60_000;

/**
 * Opens an end.
 *
 * @throws CONFIG_INVALID, and what its `open` throws
 */
async function openEnd(
  role: 'from' | 'to',
  given: MigrationEnd,
  clock: Clock,
  identity: WorkerIdentity,
): Promise<OpenEnd> {
  const options = configurationOf(given);
  const problems = validateConfiguration(options);
  if (problems.length > 0) {
    const pathOf = ({ path }: Problem): string => (path === 'configuration' ? role : `${role}.${path}`);
    throw invalid(problems.map((one) => ({ ...one, path: pathOf(one) })));
  }
  const isOwned = isBackend(options.backend);
  const config = resolveConfiguration(options);
  const path = config.backend.kind === 'sqlite' ? config.backend.path : undefined;
  if (config.backend.kind === 'memory' || path === ':memory:') {
    const expected = 'a store that outlives this call; a memory backend is given as the object itself';
    throw invalid([{ path: role, expected, got: path ?? 'memory' }]);
  }
  if (role === 'from' && path !== undefined && !existsSync(path)) {
    throw invalid([{ path: 'from', expected: 'a database that exists', got: path }]);
  }
  const backend = await createBackend(config, clock);
  await backend.open({
    identity,
    now: clock.now(),
    leaseNow: clock.monotonicNow(),
    leaseMs: LEASE_MS,
    isGone: (other) => isGone(identity, other),
  });
  return {
    backend,
    limits: options === given ? { maxSize: config.maxSize, maxBytes: config.maxBytes } : UNLIMITED,
    close: async () => {
      if (!isOwned) await backend.close();
    },
  };
}

/** Who makes a move. */
export interface Mover {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly identity: WorkerIdentity;
}

/** Opens both ends for `act` and closes them after it, as far as they are not their owner's to close. */
export async function withEnds<To extends MigrationEnd | null, Result>(
  from: MigrationEnd,
  to: To,
  clock: Clock,
  act: (from: OpenEnd, to: OpenEnd | (null & To), mover: Mover) => Promise<Result>,
): Promise<Result> {
  const ids = createIds(clock, systemRandom);
  const identity = currentIdentity(ids.next());
  const opened: OpenEnd[] = [];
  try {
    const source = await openEnd('from', from, clock, identity);
    opened.push(source);
    const destination = to === null ? null : await openEnd('to', to, clock, identity);
    if (destination !== null) opened.push(destination);
    // null only where null was given
    return await act(source, destination as OpenEnd | (null & To), { clock, ids, identity });
  } finally {
    await Promise.all(opened.map((end) => end.close()));
  }
}

function configurationOf(given: MigrationEnd): QueueOptions {
  return isBackendOption(given) ? { backend: given } : given;
}

/** Of what is neither, the configuration's own check tells what is wrong. */
function isBackendOption(given: MigrationEnd): given is BackendOption {
  return isRecord(given) && ('kind' in given || isBackend(given));
}

export function invalid(problems: readonly Problem[]): HoldfastError<'CONFIG_INVALID'> {
  return new HoldfastError('CONFIG_INVALID', `requests cannot be moved so: ${problemWords(problems)}`, { problems });
}
