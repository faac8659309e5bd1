import type { Problem } from '../../../errors.ts';
import { holdfastError } from '../../../errors.ts';
import { suggestion } from '../../../suggestion.ts';
import { assertHeaders, createHeaderRules } from '../../strategies/headers.ts';
import { priorityNumber } from '../../strategies/priority.ts';
import type { DueTimes } from '../../strategies/schedule/dueTimes.ts';
import type { EncodedBody } from '../body.ts';
import { encodeBody } from '../body.ts';
import { checkInput, checkOptions } from '../checkCall.ts';
import { unknownOptions } from '../filter.ts';
import { listHeaders } from '../headerList.ts';
import { parseTarget } from '../target.ts';
import type { Zone } from '../zone.ts';
import type { Zones } from '../zones.ts';
import { invalidSchedule } from './errors.ts';
import type { FiringOptions, ScheduleDefinition, ScheduleOptions } from './options.ts';
import { readTiming } from './timing.ts';

const MOST_MISSED = 1_000;
const MOST_JITTER_MS = 86_400_000;
const LONGEST_NAME = 200;
const SURROGATE = /\p{Surrogate}/u;

const KEYS = namesOf<ScheduleOptions>({
  cron: true,
  timeZone: true,
  everyMs: true,
  startAt: true,
  endAt: true,
  request: true,
  options: true,
  overlap: true,
  missed: true,
  maxMissed: true,
  jitterMs: true,
});
const OPTION_KEYS = namesOf<FiringOptions>({
  priority: true,
  lane: true,
  effect: true,
  tags: true,
  principal: true,
  zone: true,
  onFailure: true,
  onUnknown: true,
  client: true,
  expiresAfterMs: true,
});
const OVERLAPS = ['skip', 'queue', 'replace', 'allow'] as const;
const MISSED = ['skip', 'runOnce', 'runAll'] as const;

/** Names a schedule can have are told from others. @throws SCHEDULE_INVALID */
export function assertName(name: unknown): asserts name is string {
  const isName = typeof name === 'string' && name !== '' && name.length <= LONGEST_NAME && !SURROGATE.test(name);
  if (isName) return;
  const got = typeof name === 'string' ? JSON.stringify(name.slice(0, 60)) : typeof name;
  throw invalidSchedule(name, [{ path: 'name', expected: `a text of 1 to ${LONGEST_NAME} characters`, got }]);
}

/**
 * The definition that a schedule is stored with. Nothing in it depends on the moment or the process: the same options give the same one.
 *
 * @throws SCHEDULE_INVALID with every problem
 */
export async function readDefinition(
  name: string,
  options: ScheduleOptions,
  zones: Zones,
): Promise<{ readonly definition: ScheduleDefinition; readonly times: DueTimes }> {
  const problems: Problem[] = [];
  if (typeof options !== 'object' || options === null) {
    throw invalidSchedule(name, [{ path: 'schedule', expected: 'an object', got: String(options) }]);
  }
  problems.push(...unknownOptions(options, KEYS));
  const read = readTiming(options, problems);
  const { missed = 'runOnce', maxMissed = 100, jitterMs = 0 } = options;
  const { overlap = missed === 'runAll' ? 'queue' : 'skip' } = options;
  checkPolicies({ missed, maxMissed, overlap, jitterMs }, problems);
  const stored = readOptions(options.options ?? {}, overlap, problems);
  const sent = await readRequest(options, zones, problems);
  if (read === undefined || sent === undefined || problems.length > 0) throw invalidSchedule(name, problems);
  const definition = { ...read.timing, ...sent, options: stored, overlap, missed, maxMissed, jitterMs };
  return { definition, times: read.times };
}

function checkPolicies(
  { missed, maxMissed, overlap, jitterMs }: Pick<ScheduleDefinition, 'missed' | 'maxMissed' | 'overlap' | 'jitterMs'>,
  problems: Problem[],
): void {
  oneOf('overlap', overlap, OVERLAPS, problems);
  oneOf('missed', missed, MISSED, problems);
  if (!Number.isInteger(maxMissed) || maxMissed < 1 || maxMissed > MOST_MISSED) {
    problems.push({ path: 'maxMissed', expected: `a whole number of 1 to ${MOST_MISSED}`, got: String(maxMissed) });
  }
  if (!Number.isInteger(jitterMs) || jitterMs < 0 || jitterMs > MOST_JITTER_MS) {
    problems.push({ path: 'jitterMs', expected: `a whole number of 0 to ${MOST_JITTER_MS}`, got: String(jitterMs) });
  }
  if ((overlap === 'skip' || overlap === 'replace') && missed === 'runAll') {
    const expected = "'queue' or 'allow' with missed: 'runAll', which wants each due time";
    problems.push({ path: 'overlap', expected, got: overlap });
  }
}

function readOptions(options: FiringOptions, overlap: unknown, problems: Problem[]): ScheduleDefinition['options'] {
  const found: Problem[] = [];
  if (typeof options !== 'object' || options === null) {
    problems.push({ path: 'options', expected: 'an object', got: String(options) });
    return {};
  }
  found.push(...unknownOptions(options, OPTION_KEYS));
  checkOptions(options, found);
  const { priority, lane, principal, zone, client, expiresAfterMs } = options;
  if (priorityNumber(priority) === undefined) {
    found.push({ path: 'priority', expected: '1 to 10 or the name of a priority', got: String(priority) });
  }
  for (const [path, value] of Object.entries({ lane: lane ?? undefined, principal, zone, client })) {
    if (value === undefined || (typeof value === 'string' && value !== '')) continue;
    found.push({ path, expected: 'a non-empty string', got: String(value) });
  }
  if (expiresAfterMs !== undefined && !(Number.isInteger(expiresAfterMs) && expiresAfterMs > 0)) {
    found.push({ path: 'expiresAfterMs', expected: 'a whole number above 0', got: String(expiresAfterMs) });
  }
  if (lane === null && (overlap === 'queue' || overlap === 'replace')) {
    found.push({ path: 'lane', expected: `a name, or nothing, with overlap: '${overlap}'`, got: 'null' });
  }
  problems.push(...found.map((problem) => ({ ...problem, path: `options.${problem.path}` })));
  if (found.length > 0) return {};
  const { zone: _, ...stored } = options;
  return structuredClone(Object.fromEntries(Object.entries(stored).filter(([, value]) => value !== undefined)));
}

/** What is sent, relative to its zone. The zone is stored by name: a process that does not know it leaves the firing to one that does. */
async function readRequest(
  { request, options }: ScheduleOptions,
  zones: Zones,
  problems: Problem[],
): Promise<Pick<ScheduleDefinition, 'zone' | 'request'> | undefined> {
  if (typeof request !== 'object' || request === null) {
    problems.push({ path: 'request', expected: 'an object with method and url', got: String(request) });
    return undefined;
  }
  const found: Problem[] = [];
  await attempt(found, () => checkInput(request));
  const target = await attempt(found, () => parseTarget(request, { zone: options?.zone }, zones));
  const body = await attempt(found, () => encodedBody(request.body));
  const listed = listHeaders(request.headers, found);
  assertHeaders(listed, found);
  const implied = body?.contentType ?? null;
  const hasType = implied === null || listed.some(([name]) => name === 'content-type');
  const headers = hasType ? listed : [...listed, ['content-type', implied] as const];
  if (target !== undefined) checkSecrets(target.zone, headers, target.path, found);
  const placeOf = (path: string): string => (path === 'zone' ? 'options.zone' : `request.${path}`);
  problems.push(...found.map((problem) => ({ ...problem, path: placeOf(problem.path) })));
  if (target === undefined || body === undefined) return undefined;
  const { method, path, zone } = target;
  return { zone: zone.name, request: { method, path, headers, body: storedBody(body) } };
}

/** Credentials would lie in the store for as long as the schedule does, and a key would make its requests one. */
function checkSecrets(
  { name, policy }: Zone,
  headers: ScheduleDefinition['request']['headers'],
  path: string,
  problems: Problem[],
): void {
  const rules = createHeaderRules(new Set(policy.secretHeaders), policy.idempotency?.header);
  const expected = `no credentials: give zone ${JSON.stringify(name)}, or a client that is named, an auth that attaches them`;
  for (const [header] of rules.splitHeaders(headers).secret) {
    problems.push({ path: `headers[${JSON.stringify(header)}]`, expected, got: 'a secret header' });
  }
  if (rules.splitQuery(path).secretQuery !== '') problems.push({ path: 'url', expected, got: 'a secret parameter' });
  const keyHeader = (policy.idempotency?.header ?? 'idempotency-key').toLowerCase();
  if (headers.some(([header]) => header === keyHeader)) {
    const got = 'one for all of them';
    problems.push({ path: `headers["${keyHeader}"]`, expected: 'none: each request has a key of its own', got });
  }
}

function encodedBody(body: unknown): EncodedBody | Promise<EncodedBody> {
  if (!(body instanceof FormData)) return encodeBody(body);
  // The parts would be parted by another text each time it is set.
  throw invalidSchedule('', [{ path: 'body', expected: 'a string, bytes, Blob or a plain value', got: 'FormData' }]);
}

function storedBody({ body }: EncodedBody): ScheduleDefinition['request']['body'] {
  if (body === null) return null;
  return typeof body === 'string' ? { text: body } : { base64: Buffer.from(body).toString('base64') };
}

async function attempt<T>(problems: Problem[], read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    const known = holdfastError(error, 'REQUEST_INVALID', 'SCHEDULE_INVALID');
    if (known === undefined) throw error;
    problems.push(...known.details.problems);
    return undefined;
  }
}

function oneOf(path: string, given: unknown, known: readonly string[], problems: Problem[]): void {
  if (typeof given === 'string' && known.includes(given)) return;
  const expected = typeof given === 'string' ? suggestion(given, known) : `one of ${known.join(', ')}`;
  problems.push({ path, expected, got: String(given) });
}

function namesOf<T extends object>(names: Record<keyof T, true>): readonly string[] {
  return Object.keys(names);
}
