import type { BatchAdapter, BatchAnswer, BatchCandidate } from '../../queue/types/batch.ts';
import type { BatchOptions } from './batchOptions.ts';
import { checkBatchOptions, limitsOf, OptionCheck } from './batchOptions.ts';
import { graphBody, graphOutcome, graphResponses } from './graphParts.ts';
import { nextPath } from './nextPage.ts';
import { answerJson, missing } from './outcomes.ts';
import { joinRaw, rawAt, rawScalar } from './rawJson.ts';

/** Where the API is, and which of its refusals cannot be believed. */
export interface GraphBatchOptions extends BatchOptions {
  /** What the paths of all requests begin with. @default '/v1.0' */
  readonly base?: string | undefined;
  /**
   * Paths below `base` whose writes may have been applied although they are answered 429, as is known of Teams: `['/teams', '/chats']`. Such
   * a write is in doubt. @default none
   */
  readonly doubtful429?: readonly string[] | undefined;
}

/**
 * JSON batching of Microsoft Graph: up to 20 requests of any kind, each with headers and an answer of its own.
 *
 * @throws CONFIG_INVALID with everything that is wrong with the options
 */
export function graphBatch(options: GraphBatchOptions = {}): BatchAdapter {
  assertGraphBatchOptions(options);
  const { base = '/v1.0', doubtful429 = [] } = options;
  const path = `${base}/$batch`;

  const urlOf = (candidate: BatchCandidate): string | undefined => {
    const url = candidate.path.startsWith(`${base}/`) ? candidate.path.slice(base.length) : undefined;
    return url === undefined || /^\/(?:\$|%24)batch(?:$|\?)/i.test(url) ? undefined : url;
  };
  const isDoubtful = (member: BatchCandidate): boolean => {
    const [url = ''] = (urlOf(member) ?? '').toLowerCase().split('?');
    return member.effect !== 'read' && doubtful429.some((start) => `${url}/`.startsWith(`${start.toLowerCase()}/`));
  };

  return {
    ...limitsOf(options, { name: 'graphBatch', maxItems: 20, countsAs: 'each' }),
    carriesHeaders: true,
    key(candidate) {
      return urlOf(candidate) === undefined || graphBody(candidate) === undefined ? null : path;
    },
    compose(members) {
      const ids = new Set(members.map(({ id }) => id.toLowerCase()));
      if (ids.size < members.length) throw new TypeError('two members of a call differ in letter case at most');
      const requests = members.map((member) => {
        const url = urlOf(member);
        const part = graphBody(member);
        if (url === undefined || part === undefined)
          throw new TypeError('graphBatch was given a member that goes alone');
        const head = { id: member.id, method: member.method, url };
        return joinRaw([
          ...Object.entries(head).map(([name, value]) => [name, JSON.stringify(value)] as const),
          ...part,
        ]);
      });
      const headers = [
        ['content-type', 'application/json'],
        ['accept', 'application/json'],
      ] as const;
      return { method: 'POST', path, headers, body: `{"requests":[${requests.join(',')}]}` };
    },
    // Not the same again, as of other protocols: that would send its requests twice.
    next(answer, call) {
      const following = nextPath(nextLinkOf(answer), call);
      return following === undefined
        ? undefined
        : { method: 'GET', path: following, headers: [['accept', 'application/json']], body: null };
    },
    outcomes(answers, members) {
      const responses = graphResponses(answers);
      return members.map((member) => {
        const response = responses.get(member.id.toLowerCase());
        if (response === undefined || response === null) return missing(member);
        return graphOutcome(response, member, isDoubtful(member));
      });
    },
  };
}

function nextLinkOf(answer: BatchAnswer): string | undefined {
  const raw = answerJson(answer);
  return raw === undefined ? undefined : rawScalar(rawAt(raw, '/@odata.nextLink'));
}

function assertGraphBatchOptions(options: GraphBatchOptions): void {
  const check = new OptionCheck('graphBatch');
  const { base, doubtful429, maxItems } = checkBatchOptions(check, options, ['base', 'doubtful429']);
  const isBase = base === undefined || (typeof base === 'string' && /^(?:\/[^\s/?#]+)+$/.test(base));
  check.expect('base', isBase, "a path such as '/v1.0'", base);
  const isPaths = (value: unknown): boolean => typeof value === 'string' && /^(?:\/[^\s/?#]+)+$/.test(value);
  const isList = doubtful429 === undefined || (Array.isArray(doubtful429) && doubtful429.every(isPaths));
  check.expect('doubtful429', isList, "a list of paths such as '/teams'", doubtful429);
  check.expect(
    'maxItems',
    typeof maxItems !== 'number' || maxItems <= 20,
    'at most 20, which is all that Graph takes',
    maxItems,
  );
  check.done();
}
