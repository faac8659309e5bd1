import { headerValue } from '../../queue/strategies/headerValue.ts';
import type { BatchAdapter, BatchAnswer, BatchCandidate, BatchMember, BatchOutcome } from '../../queue/types/batch.ts';
import type { HeaderList } from '../../queue/types/request.ts';
import type { BatchOptions } from './batchOptions.ts';
import { checkBatchOptions, limitsOf, lowerCased, OptionCheck } from './batchOptions.ts';
import type { BulkAction } from './bulkAction.ts';
import { bulkActionReader } from './bulkAction.ts';
import { headersThatMatter, withHeaders } from './memberHeaders.ts';
import { answered, answerJson, headerOf, jsonTypeOf, missing, statusOf } from './outcomes.ts';
import { joinRaw, rawAt, rawItems, rawMembers, rawScalar } from './rawJson.ts';

/** Where the API is. */
export interface NdjsonBulkOptions extends BatchOptions {
  /** What all paths begin with: `/search`. @default '' */
  readonly base?: string | undefined;
  /** Headers that do not change the answer: by all others, requests are told apart. @default none */
  readonly ignoreHeaders?: readonly string[] | undefined;
}

/**
 * The `_bulk` endpoint of Elasticsearch and OpenSearch: writes of single documents as lines of JSON, each with a status of its own.
 *
 * @throws CONFIG_INVALID with everything that is wrong with the options
 */
export function ndjsonBulk(options: NdjsonBulkOptions = {}): BatchAdapter {
  assertNdjsonOptions(options);
  const { base = '' } = options;
  const ignored = lowerCased(options.ignoreHeaders);
  const readAction = bulkActionReader(base);
  // A removal has no body, and so no type: what the others say of theirs is said of the lines.
  const typeOf = ({ headers }: BatchCandidate): string => lineType(headerValue(headers, 'content-type'));
  const shared = ({ headers }: BatchCandidate): HeaderList => headersThatMatter(headers, [...ignored, 'content-type']);

  const mustRead = (candidate: BatchCandidate): BulkAction => {
    const action = readAction(candidate);
    if (action === undefined) throw new TypeError('ndjsonBulk was given a member that is no write of one document');
    return action;
  };

  return {
    ...limitsOf(options, { name: 'ndjsonBulk', maxItems: 500, maxBytes: 5_000_000 }),
    carriesHeaders: false,
    key(candidate) {
      const action = readAction(candidate);
      return action === undefined ? null : JSON.stringify([action.search, typeOf(candidate), shared(candidate)]);
    },
    compose(members) {
      const actions = members.map(mustRead);
      const [first] = members;
      const headers = withHeaders(first === undefined ? [] : shared(first), [
        ['content-type', first === undefined ? lineType(undefined) : typeOf(first)],
      ]);
      const body = actions.map(({ lines }) => `${lines.join('\n')}\n`).join('');
      return { method: 'POST', path: `${base}/_bulk${actions[0]?.search ?? ''}`, headers, body };
    },
    outcomes([answer], members) {
      return answer === undefined ? members.map(missing) : itemsOf(answer, members, members.map(readAction), base);
    },
  };
}

/** By position. Where one item is about something else than what was asked in its place, no place means anything. */
function itemsOf(
  answer: BatchAnswer,
  members: readonly BatchMember[],
  actions: readonly (BulkAction | undefined)[],
  base: string,
): readonly BatchOutcome[] {
  const raw = answerJson(answer);
  const list = raw === undefined ? undefined : rawAt(raw, '/items');
  const items = ((list === undefined ? undefined : rawItems(list)) ?? []).map((item, at) =>
    resultOf(item, actions[at]),
  );
  if (items.length !== members.length || items.includes(undefined)) return members.map(missing);
  const type = jsonTypeOf(answer);
  return members.map((member, at) => {
    const item = items[at] ?? '';
    const status = statusOf(rawAt(item, '/status'));
    if (status === undefined) return missing(member);
    const error = rawAt(item, '/error');
    if (error !== undefined)
      return answered(
        member,
        status,
        joinRaw([
          ['error', error],
          ['status', String(status)],
        ]),
        type,
      );
    const body = joinRaw((rawMembers(item) ?? []).filter(([name]) => name !== 'status'));
    return answered(member, status, body, type, status === 201 ? locationOf(item, base) : []);
  });
}

/** What an item says of the document it should be about; undefined where it is about another. */
function resultOf(item: string, action: BulkAction | undefined): string | undefined {
  const [only, ...others] = rawMembers(item) ?? [];
  if (only === undefined || others.length > 0 || action === undefined || only[0] !== action.name) return undefined;
  const result = rawMembers(only[1]) === undefined ? undefined : only[1];
  const id = result === undefined ? undefined : rawScalar(rawAt(result, '/_id'));
  return action.id === undefined || id === undefined || id === action.id ? result : undefined;
}

function locationOf(item: string, base: string): HeaderList {
  const [index, id] = [rawScalar(rawAt(item, '/_index')), rawScalar(rawAt(item, '/_id'))];
  if (index === undefined || id === undefined || /\p{Surrogate}/u.test(index + id)) return [];
  return headerOf('location', `${base}/${encodeURIComponent(index)}/_doc/${encodeURIComponent(id)}`);
}

/** The type of lines whose documents have this type: vendors' types tell versions. */
function lineType(type: string | undefined): string {
  return type?.includes('+json') ? type.replace('+json', '+x-ndjson') : 'application/x-ndjson';
}

function assertNdjsonOptions(options: NdjsonBulkOptions): void {
  const check = new OptionCheck('ndjsonBulk');
  const { base, ignoreHeaders } = checkBatchOptions(check, options, ['base', 'ignoreHeaders']);
  const isBase = base === undefined || base === '' || (typeof base === 'string' && /^(?:\/[^\s/?#]+)+$/.test(base));
  check.expect('base', isBase, "a path such as '/search'", base);
  check.headerNames('ignoreHeaders', ignoreHeaders);
  check.done();
}
