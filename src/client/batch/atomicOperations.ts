import type { BatchAdapter, BatchCandidate } from '../../queue/types/batch.ts';
import type { Operation } from './atomicOperation.ts';
import { operationReader } from './atomicOperation.ts';
import type { AtomicOperationsOptions } from './atomicOptions.ts';
import { assertAtomicOptions } from './atomicOptions.ts';
import { atomicRefusal, atomicResults } from './atomicResults.ts';
import { limitsOf, lowerCased } from './batchOptions.ts';
import { headersThatMatter, withHeaders } from './memberHeaders.ts';
import { missing } from './outcomes.ts';

const MEDIA_TYPE = 'application/vnd.api+json;ext="https://jsonapi.org/ext/atomic"';

/**
 * The atomic operations of JSON:API: writes of resources and relationships, of which the server does all or none. One that is refused by name
 * has the refusal as its answer, and the others are sent again without it.
 *
 * @throws CONFIG_INVALID with everything that is wrong with the options
 */
export function atomicOperations(options: AtomicOperationsOptions = {}): BatchAdapter {
  assertAtomicOptions(options);
  const { base = '', path = `${base}/operations` } = options;
  const ignored = [...lowerCased(options.ignoreHeaders), 'accept', 'content-type'];
  const readOperation = operationReader(options);

  const mustRead = (candidate: BatchCandidate): Operation => {
    const operation = readOperation(candidate);
    if (operation === undefined) throw new TypeError('atomicOperations was given a member that goes alone');
    return operation;
  };

  return {
    ...limitsOf(options, { name: 'atomicOperations', maxItems: 50 }),
    carriesHeaders: false,
    key(candidate) {
      if (readOperation(candidate) === undefined) return null;
      return JSON.stringify(headersThatMatter(candidate.headers, ignored));
    },
    compose(members) {
      const operations = members.map((member) => mustRead(member).text);
      const headers = withHeaders(headersThatMatter(members[0]?.headers ?? [], ignored), [
        ['content-type', MEDIA_TYPE],
        ['accept', MEDIA_TYPE],
      ]);
      return { method: 'POST', path, headers, body: `{"atomic:operations":[${operations.join(',')}]}` };
    },
    outcomes([answer], members) {
      return answer === undefined ? members.map(missing) : atomicResults(answer, members, members.map(readOperation));
    },
    refused: atomicRefusal,
  };
}
