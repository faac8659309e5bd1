// Runs operations of one SDK over one subject, and judges two runs of one.
import { describe, describeEntry, differences } from './compare.mjs';
import { startServer } from './server.mjs';

/** An SDK whose own retries go on longer than this is left to them; what counts is what the server saw meanwhile. */
const LIMIT_MS = 20_000;

const STILL_TRYING = Object.freeze({ pending: `no result within ${LIMIT_MS / 1000} s` });

/** One operation over one subject, against a server of its own. */
export async function runOperation({ kase, operation, subject, fault, offlineAfter }) {
  const server = await startServer({ routes: kase.routes, fault, offlineAfter });
  try {
    const transport = await subject.transport(kase.seam);
    const counted = countCalls(subject.fetch);
    const context = { fetch: counted.fetch, transport, baseUrl: server.origin };
    await server.begin(async (url) => (await subject.fetch(url)).text());
    const began = performance.now();
    const outcome = await limited(outcomeOf(() => operation.run(kase.make(context), context)));
    if (kase.seam === 'fetch' && counted.calls() === 0)
      throw new Error(`${operation.name}: the given fetch was not used`);
    return { outcome, log: [...server.log], ms: performance.now() - began };
  } finally {
    await server.close();
  }
}

/** Keeps name, length and what else an SDK might look at. */
function countCalls(fetch) {
  let calls = 0;
  const apply = (target, self, args) => {
    calls += 1;
    return Reflect.apply(target, self, args);
  };
  return { fetch: new Proxy(fetch, { apply }), calls: () => calls };
}

async function outcomeOf(work) {
  try {
    return { value: describe(await work()) };
  } catch (error) {
    return { error: describe(error) };
  }
}

function limited(work) {
  let timer;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, LIMIT_MS, STILL_TRYING);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

/** A write that the server cannot know again. To us, every POST is one: what it means is between the SDK and its API. */
export function isKeylessWrite({ method, headers }) {
  return (method === 'POST' || method === 'PATCH') && headers['idempotency-key'] === undefined;
}

/** Keyless writes that the server took up more often than a run without faults sends them. */
export function keylessRepeats(log, reference) {
  const seen = countBy(log.filter((entry) => isKeylessWrite(entry) && entry.fate !== 'busy'));
  const usual = countBy(reference.filter(isKeylessWrite));
  return [...seen].filter(([identity, times]) => times > (usual.get(identity) ?? 1)).length;
}

function countBy(log) {
  const counts = new Map();
  for (const { identity } of log) counts.set(identity, (counts.get(identity) ?? 0) + 1);
  return counts;
}

/**
 * Where a run over the subject differs from what it must be.
 *
 * @param reference the SDK over its own transport, without faults
 * @param lost the same where every connection is destroyed: what a caller must be told when the outcome is not known
 */
export function judge({ kase, fault, reference, lost, run }) {
  if (fault === 'slow') return judgeHurried({ run });
  const isDoubtful = fault === 'reset' && reference.log.some(isKeylessWrite);
  return isDoubtful ? judgeDoubtful({ lost, reference, run }) : judgeEqual({ kase, fault, reference, run });
}

function judgeEqual({ kase, fault, reference, run }) {
  const transport = kase.seam === 'fetch';
  const entries = (log) => log.map((entry) => describeEntry(entry, { transport }));
  const all = run.log.filter(({ fate }) => fate === 'answer');
  const answered = fault === 'none' ? all : all.filter(isNoRepeatedRead);
  const refused = run.log.filter(({ fate }) => fate !== 'answer');
  return [
    ...differences(reference.outcome, run.outcome, 'result'),
    ...differences(entries(reference.log), entries(answered), 'log'),
    // What was refused first must be the same request that was answered then.
    ...entries(refused).flatMap((entry, index) =>
      differences(twin(entries(answered), entry), entry, `refused.${index}`),
    ),
  ];
}

/** A redirect that fails at its second hop is begun again at its first. */
function isNoRepeatedRead({ method, identity }, index, log) {
  return method !== 'GET' || log.findIndex((other) => other.identity === identity) === index;
}

function twin(entries, { method, path, body }) {
  return entries.find((other) => other.method === method && other.path === path && other.body === body);
}

/** The caller is told, as its own transport would tell it, and the server saw no keyless write again. */
function judgeDoubtful({ lost, reference, run }) {
  const found = [];
  if (!isPatched({ reference, run })) found.push(...differences(told(lost.outcome), told(run.outcome), 'result'));
  return [...found, ...repeats(run.log)];
}

/** Callers that did not wait for the answer get one of a later try, or an error; their write is not sent again. */
function judgeHurried({ run }) {
  return run.log.length > 0 ? repeats(run.log) : [{ path: 'log', native: 'a request', queue: 'none' }];
}

function repeats(log) {
  return [...countBy(log.filter(isKeylessWrite))]
    .filter(([, times]) => times > 1)
    .map(([identity, times]) => ({ path: 'log', native: `once: ${identity.slice(0, 80)}`, queue: `${times} times` }));
}

/** A PATCH whose effect can be read back may be settled by that; then the result is the usual one. */
function isPatched({ reference, run }) {
  const writes = reference.log.filter(isKeylessWrite);
  return (
    writes.every(({ method }) => method === 'PATCH') && differences(reference.outcome, run.outcome, '').length === 0
  );
}

/** Thrown errors by what callers look at; some SDKs give theirs as a result, and some have not come to one. */
function told(outcome) {
  return outcome.error === undefined ? outcome : { error: brief(outcome.error) };
}

function brief(error) {
  const { $error, name, message, code, cause } = error;
  return { $error, name, message, code, cause: typeof cause === 'object' && cause !== null ? brief(cause) : cause };
}
