import { hasCondition } from '../../queue/strategies/conditions.ts';
import { headerValue } from '../../queue/strategies/headerValue.ts';
import type { BatchAdapter, BatchAnswer, BatchCandidate, BatchMember, BatchOutcome } from '../../queue/types/batch.ts';
import type { BatchOptions } from './batchOptions.ts';
import { checkBatchOptions, limitsOf, lowerCased, OptionCheck } from './batchOptions.ts';
import { graphqlOperation } from './graphqlOperation.ts';
import { jsonBody } from './jsonMember.ts';
import { headersThatMatter, withHeaders } from './memberHeaders.ts';
import { answered, answerJson, jsonTypeOf, missing } from './outcomes.ts';
import { rawAt, rawItems, rawMembers, rawScalar } from './rawJson.ts';

/** Where the API is, and what may share a call. */
export interface GraphqlBatchOptions extends BatchOptions {
  /** @default '/graphql' */
  readonly path?: string | undefined;
  /** Whether mutations share calls, with each other and never with queries. A server runs them one after the other, or not. @default 'alone' */
  readonly mutations?: 'alone' | 'together' | undefined;
  /** Headers that do not change the answer: by all others, requests are told apart. @default none */
  readonly ignoreHeaders?: readonly string[] | undefined;
}

/**
 * Arrays of GraphQL operations, for servers that have batching switched on. Each entry of the answer has data and errors of its own.
 *
 * @throws CONFIG_INVALID with everything that is wrong with the options
 */
export function graphqlBatch(options: GraphqlBatchOptions = {}): BatchAdapter {
  assertGraphqlOptions(options);
  const { path = '/graphql', mutations = 'alone' } = options;
  const ignored = lowerCased(options.ignoreHeaders);

  return {
    ...limitsOf(options, { name: 'graphqlBatch', maxItems: 10 }),
    carriesHeaders: false,
    key(candidate) {
      const kind = kindOf(candidate, path);
      if (kind === undefined || (kind === 'mutation' && mutations === 'alone')) return null;
      return JSON.stringify([kind, candidate.path, headersThatMatter(candidate.headers, ignored)]);
    },
    compose(members) {
      const bodies = members.map((member) => {
        const body = kindOf(member, path) === undefined ? undefined : jsonBody(member);
        if (body === undefined) throw new TypeError('graphqlBatch was given a member that is no operation');
        return body;
      });
      const [first] = members;
      const headers = headersThatMatter(first?.headers ?? [], ignored);
      const type = headerValue(headers, 'content-type') ?? 'application/json';
      return {
        method: 'POST',
        path: first?.path ?? path,
        headers: withHeaders(headers, [['content-type', type]]),
        body: `[${bodies.join(',')}]`,
      };
    },
    outcomes([answer], members) {
      return answer === undefined ? members.map(missing) : entriesOf(answer, members);
    },
  };
}

/** By position, which means nothing in a list of another length: one error for all is one, too. */
function entriesOf(answer: BatchAnswer, members: readonly BatchMember[]): readonly BatchOutcome[] {
  const raw = answerJson(answer);
  const entries = raw === undefined ? undefined : rawItems(raw);
  if (entries?.length !== members.length) return members.map(missing);
  const type = jsonTypeOf(answer);
  return members.map((member, at) => {
    const entry = entries[at] ?? '';
    const isResult = rawMembers(entry)?.some(([name]) => name === 'data' || name === 'errors') === true;
    return isResult ? answered(member, 200, entry, type) : missing(member);
  });
}

function kindOf(candidate: BatchCandidate, path: string): 'query' | 'mutation' | undefined {
  const { method, headers, effect } = candidate;
  if (method !== 'POST' || candidate.path.split('?')[0] !== path || hasCondition(headers)) return undefined;
  if (/multipart\/|text\/event-stream/i.test(headerValue(headers, 'accept') ?? '')) return undefined; // answered in parts
  const body = jsonBody(candidate);
  if (body === undefined || !body.startsWith('{')) return undefined;
  const query = rawScalar(rawAt(body, '/query'));
  // A stored operation is known by name only: a read where somebody says so.
  if (query === undefined || query === '') return effect === 'read' ? 'query' : 'mutation';
  const kind = graphqlOperation(query);
  return kind === 'subscription' ? undefined : kind;
}

function assertGraphqlOptions(options: GraphqlBatchOptions): void {
  const check = new OptionCheck('graphqlBatch');
  const { path, mutations, ignoreHeaders } = checkBatchOptions(check, options, ['path', 'mutations', 'ignoreHeaders']);
  const isPath = path === undefined || (typeof path === 'string' && /^\/[^\s?#]*$/.test(path));
  check.expect('path', isPath, "a path such as '/graphql'", path);
  check.oneOf('mutations', mutations, undefined, 'alone', 'together');
  check.headerNames('ignoreHeaders', ignoreHeaders);
  check.done();
}
