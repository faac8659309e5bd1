import { isJson } from '../../queue/strategies/jsonValue.ts';
import type { BatchAnswer, BatchMember, BatchOutcome } from '../../queue/types/batch.ts';
import type { Json } from '../../queue/types/request.ts';
import type { BulkArrayOptions, BulkFailure, BulkResults } from './bulkArrayOptions.ts';
import { answered, answerJson, headerOf, jsonTypeOf, missing, statusOf } from './outcomes.ts';
import { joinRaw, rawAt, rawItems, rawMembers, rawScalar } from './rawJson.ts';

/** What was said of one input. */
interface Item {
  readonly raw: string;
  readonly isError: boolean;
}

/** What became of members whose inputs are told apart by `names`: what they echo, or their ids. */
export function bulkOutcomes(
  options: BulkArrayOptions,
  answer: BatchAnswer,
  members: readonly BatchMember[],
  names: readonly (string | undefined)[],
): readonly BatchOutcome[] {
  const terms = options.answer ?? {};
  const succeeded = terms.succeeded ?? { POST: 201, DELETE: 204, PUT: 200, PATCH: 200 }[options.method];
  // Nothing to say of any of them, where there would be nothing to say of one.
  if (answer.status === 204 && succeeded === 204) return members.map((member) => answered(member, 204, undefined));
  const raw = answerJson(answer);
  if (raw === undefined) return members.map(missing);
  const items = options.match.by === 'position' ? byPosition(raw, terms, members.length) : byName(raw, options, names);
  const type = jsonTypeOf(answer);
  return members.map((member, index) => {
    const item = items[index];
    return item === undefined ? missing(member) : outcomeOf(item, member, { terms, succeeded, type, options });
  });
}

function listAt(raw: string, pointer: string | undefined): string[] | undefined {
  const list = pointer === undefined ? undefined : rawAt(raw, pointer);
  return list === undefined ? undefined : rawItems(list);
}

/** Nothing, where it is not one result for each: no place means anything then. */
function byPosition(raw: string, { results = '' }: BulkResults, count: number): readonly (Item | undefined)[] {
  const list = listAt(raw, results);
  return list?.length === count ? list.map((item) => ({ raw: item, isError: false })) : [];
}

function byName(
  raw: string,
  { match, answer = {} }: BulkArrayOptions,
  names: readonly (string | undefined)[],
): readonly (Item | undefined)[] {
  const field = match.by === 'echo' ? `/${match.field.replaceAll('~', '~0').replaceAll('/', '~1')}` : '/id';
  const { result = field, error = field } = match.by === 'position' ? {} : match;
  const found = new Map<string, Item | null>(); // null: said twice, and not the same
  const note = (name: string | undefined, item: Item): void => {
    if (name === undefined) return;
    const known = found.get(name);
    found.set(name, known === undefined || (known?.raw === item.raw && known.isError === item.isError) ? item : null);
  };
  for (const item of listAt(raw, answer.results ?? '') ?? []) {
    note(rawScalar(rawAt(item, result)), { raw: item, isError: false });
  }
  for (const item of listAt(raw, answer.errors) ?? []) {
    const named = rawAt(item, error);
    for (const one of (named !== undefined && rawItems(named)) || [named]) {
      note(rawScalar(one), { raw: item, isError: true });
    }
  }
  return names.map((name) => (name === undefined ? undefined : (found.get(name) ?? undefined)));
}

interface Terms {
  readonly terms: BulkResults;
  readonly succeeded: number;
  readonly type: string;
  readonly options: BulkArrayOptions;
}

function outcomeOf(item: Item, member: BatchMember, { terms, succeeded, type, options }: Terms): BatchOutcome {
  if (item.raw === 'null') return missing(member);
  const given = terms.status === undefined ? undefined : rawAt(item.raw, terms.status);
  const status = statusOf(given);
  // An error may say in words what a result says in digits.
  if (given !== undefined && given !== 'null' && status === undefined && !item.isError) return missing(member);
  const success = terms.success === undefined || item.isError ? undefined : rawAt(item.raw, terms.success);
  if (terms.success !== undefined && !item.isError && success !== 'true' && success !== 'false') return missing(member);
  if (item.isError || success === 'false' || (status !== undefined && status >= 400)) {
    return failure(item.raw, member, status !== undefined && status >= 400 ? status : 400, { terms, type });
  }
  const { unwrap = '' } = terms;
  const body = options.match.by === 'echo' ? withoutEcho(item.raw, options.match.field) : item.raw;
  return answered(member, status ?? succeeded, rawAt(body, unwrap), type);
}

/** A single request would not have been given it. */
function withoutEcho(raw: string, field: string): string {
  const members = rawMembers(raw);
  return members === undefined ? raw : joinRaw(members.filter(([name]) => name !== field));
}

function failure(
  raw: string,
  member: BatchMember,
  status: number,
  { terms, type }: Pick<Terms, 'terms' | 'type'>,
): BatchOutcome {
  if (terms.failed !== undefined) return declaredFailure(raw, member, terms.failed, type);
  const wait = terms.retryAfter === undefined ? undefined : rawScalar(rawAt(raw, terms.retryAfter));
  return answered(member, status, raw, type, headerOf('retry-after', wait));
}

/** A server that was understood to refuse, in a way that nobody can tell, leaves its member in doubt. */
function declaredFailure(
  raw: string,
  member: BatchMember,
  failed: NonNullable<BulkResults['failed']>,
  type: string,
): BatchOutcome {
  const said = askFailed(failed, raw);
  if (said === undefined) return missing(member);
  const { status, body, retryAfter } = said;
  const wait = retryAfter === undefined ? undefined : String(retryAfter);
  return answered(
    member,
    status,
    body === undefined ? undefined : JSON.stringify(body),
    type,
    headerOf('retry-after', wait),
  );
}

function askFailed(failed: NonNullable<BulkResults['failed']>, raw: string): BulkFailure | undefined {
  try {
    const said: unknown = failed(JSON.parse(raw) as Json); // cut out of JSON
    return isFailure(said) ? said : undefined;
  } catch {
    return undefined; // what it was asked about is in doubt, and goes on as such
  }
}

function isFailure(value: unknown): value is BulkFailure {
  if (typeof value !== 'object' || value === null) return false;
  const { status, body, retryAfter } = value as Partial<Record<keyof BulkFailure, unknown>>;
  const isStatus = Number.isInteger(status) && (status as number) >= 400 && (status as number) < 600;
  return (
    isStatus && (body === undefined || isJson(body)) && ['undefined', 'number', 'string'].includes(typeof retryAfter)
  );
}
