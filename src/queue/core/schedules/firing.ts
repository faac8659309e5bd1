import { defaultLane } from '../../strategies/lane.ts';
import type { Position } from '../../strategies/schedule/plan.ts';
import type { RequestOptions } from '../../types/calls.ts';
import type { Engine } from '../Engine.ts';
import type { Desk } from '../submission.ts';
import { Submission } from '../submission.ts';
import type { Zone } from '../zone.ts';
import type { ScheduleDefinition } from './options.ts';
import type { ReadSchedule, ScheduleRecord } from './record.ts';
import { written } from './record.ts';

/** The tag that the requests of a schedule have. */
export function tagOf(name: string): string {
  return `schedule:${name}`;
}

/** What a firing makes of its schedule. */
export interface Fired {
  /** Null: by hand. */
  readonly dueAt: number | null;
  readonly position: Position;
  /** Due times passed over on the way. */
  readonly missed: number;
}

/**
 * Hands the request of a schedule to the intake, like any other call. It is accepted only if the schedule still is as it was read, and in the
 * same step the schedule moves on.
 */
export function fire(engine: Engine, desk: Desk, zone: Zone, schedule: ReadSchedule, fired: Fired): Submission {
  const { clock, ids } = engine.context;
  const { name, version, record } = schedule;
  const now = clock.now();
  const id = ids.next();
  const next: ScheduleRecord = {
    ...record,
    position: fired.position,
    // By hand it stays where it is, though a clock that was ahead has put it there.
    writtenAt: fired.dueAt === null ? record.writtenAt : now,
    last: { dueAt: fired.dueAt, firedAt: now, requestId: id },
    fired: record.fired + 1,
    missed: record.missed + fired.missed,
    ...(fired.dueAt !== null && { problem: null, tries: 0, retryAt: null }),
  };
  const { dueAt, data } = written(next);
  const isByHand = fired.dueAt === null;
  const { definition } = record;
  const submission = new Submission(id, desk);
  engine.intake.pushOne(submission, {
    id,
    input: {
      method: definition.request.method,
      url: `${zone.policy.origin}${definition.request.path}`,
      headers: definition.request.headers,
      body: bodyOf(definition),
    },
    options: optionsOf(name, definition, now),
    client: definition.options.client === undefined ? undefined : engine.client(definition.options.client),
    durable: true,
    fires: { name, version, dueAt: isByHand ? schedule.dueAt : dueAt, data },
  });
  return submission;
}

/** Each due time is an intent of its own: its request joins no other. */
function optionsOf(name: string, { zone, request, options, overlap }: ScheduleDefinition, now: number): RequestOptions {
  const { expiresAfterMs, tags = [], client: _, ...rest } = options;
  const waits = overlap === 'queue' || overlap === 'replace';
  const hasLane = rest.lane !== undefined || defaultLane(request.method, request.path) !== null;
  return {
    ...rest,
    zone,
    tags: [...tags, tagOf(name)],
    dedupe: false,
    ...(waits && !hasLane && { lane: tagOf(name) }),
    ...(expiresAfterMs !== undefined && { deadline: now + expiresAfterMs }),
  };
}

function bodyOf({ request: { body } }: ScheduleDefinition): string | Uint8Array | null {
  if (body === null) return null;
  return 'text' in body ? body.text : Buffer.from(body.base64, 'base64');
}
