import type { BatchAdapter, BatchCandidate } from '../../queue/types/batch.ts';
import { limitsOf, lowerCased } from './batchOptions.ts';
import type { BulkArrayOptions } from './bulkArrayOptions.ts';
import { assertBulkArrayOptions } from './bulkArrayOptions.ts';
import type { BulkInput } from './bulkEntry.ts';
import { bulkInputReader, withEcho } from './bulkEntry.ts';
import { bulkOutcomes } from './bulkResults.ts';
import { headersThatMatter, withHeaders } from './memberHeaders.ts';
import { missing } from './outcomes.ts';
import { fillPath, partNames } from './pathPattern.ts';
import { joinRaw, rawMembers, wrapRaw } from './rawJson.ts';

/**
 * Folds single writes into calls that take an array of them: collections, `inputs`, plain arrays. Each has its own result. What the answer does not
 * speak of, or says twice and not the same, is in doubt.
 *
 * @throws CONFIG_INVALID with everything that is wrong with the options
 */
export function bulkArray(options: BulkArrayOptions): BatchAdapter {
  assertBulkArrayOptions(options);
  const { bulk, match } = options;
  const { inputs = '', fields = {} } = bulk;
  const readInput = bulkInputReader(options);
  const ignored = lowerCased(options.ignoreHeaders);
  const shared = partNames(bulk.path);
  const fieldTexts = Object.entries(fields).map(([name, value]) => [name, JSON.stringify(value)] as const);

  const mustRead = (candidate: BatchCandidate): BulkInput => {
    const input = readInput(candidate);
    if (input === undefined) throw new TypeError('bulkArray was given a member that is none of its single requests');
    return input;
  };

  return {
    ...limitsOf(options, { name: 'bulkArray', maxItems: 100 }),
    carriesHeaders: false,
    key(candidate) {
      const input = readInput(candidate);
      if (input === undefined) return null;
      const parts = shared.map((name) => input.parts[name]);
      return JSON.stringify([parts, input.search, headersThatMatter(candidate.headers, ignored)]);
    },
    compose(members) {
      const all = members.map(mustRead);
      const ids = all.map(({ id }) => id);
      if (match.by === 'id' && new Set(ids).size < ids.length) throw new TypeError('two members of a call have one id');
      const entries = all.map(({ entry }, index) =>
        match.by === 'echo' ? withEcho(entry, match.field, members[index]?.id ?? '') : entry,
      );
      const array = `[${entries.join(',')}]`;
      const wrapped = rawMembers(wrapRaw(array, inputs));
      const { parts = {}, search = '' } = all[0] ?? {};
      return {
        method: bulk.method ?? options.method,
        path: fillPath(bulk.path, parts) + search,
        headers: withHeaders(headersThatMatter(members[0]?.headers ?? [], ignored), [
          ['content-type', 'application/json'],
        ]),
        body: wrapped === undefined ? array : joinRaw([...fieldTexts, ...wrapped]),
      };
    },
    outcomes([answer], members) {
      if (answer === undefined) return members.map(missing);
      const names = members.map((member) => (match.by === 'echo' ? member.id : readInput(member)?.id));
      return bulkOutcomes(options, answer, members, names);
    },
  };
}
