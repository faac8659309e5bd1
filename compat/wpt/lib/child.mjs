/** Runs one test file in this process, with one subject as its fetch, and sends each result to the parent. */
import { runInThisContext } from 'node:vm';
import { subjects } from './subjects.mjs';

const CLOSE_MS = 5000;
const STATUS = ['PASS', 'FAIL', 'TIMEOUT', 'NOTRUN', 'PRECONDITION_FAILED'];
const HARNESS = ['OK', 'ERROR', 'TIMEOUT', 'PRECONDITION_FAILED'];

const { page, subject: name, scripts, timeoutMs } = await new Promise((resolve) => process.once('message', resolve));
const timers = { setTimeout, clearTimeout };
const subject = await subjects[name](new URL(page).origin);

makePage(page);
useFetch(subject.fetch);

const { tests, status } = await runTests();
await tell({
  kind: 'done',
  results: tests.map((test) => ({ name: test.name, status: STATUS[test.status], message: test.message ?? '' })),
  status: HARNESS[status.status],
  message: status.message ?? '',
});
await tell({ kind: 'closed', calls: subject.calls?.() ?? 0, inTime: await closeSubject() });
process.exit(0);

/** The globals a test expects of its page, and the base for relative URLs that Node's fetch takes from an embedder. */
function makePage(address) {
  const url = new URL(address);
  const listeners = { error: [], unhandledrejection: [] };
  const globals = {
    self: globalThis,
    location: url,
    GLOBAL: { isWindow: () => false, isWorker: () => false, isShadowRealm: () => false },
    addEventListener: (type, listener) => listeners[type]?.push(listener),
    removeEventListener: () => undefined,
    [Symbol.for('undici.globalOrigin.1')]: url,
  };
  for (const [key, value] of [
    ...Object.entries(globals),
    ...Object.getOwnPropertySymbols(globals).map((key) => [key, globals[key]]),
  ]) {
    Object.defineProperty(globalThis, key, { value, writable: true, configurable: true });
  }
  process.on('uncaughtException', (error) => {
    for (const listener of listeners.error) listener({ message: error?.message, error });
  });
  process.on('unhandledRejection', (reason) => {
    for (const listener of listeners.unhandledrejection) listener({ reason });
  });
}

/**
 * Puts a fetch before the tests' scripts: as a binding of its own in their scope, so that the platform's stays where the subject
 * looks for it. A relative URL means something only on a page. It is resolved before any subject sees it, as else a queue that
 * leaves to the platform whatever is not over HTTP would hardly be called.
 */
function useFetch(fetch) {
  const absolute = (input) => {
    if (typeof input !== 'string' || URL.canParse(input) || !URL.canParse(input, page)) return input;
    return new URL(input, page).href;
  };
  globalThis.subjectFetch = (...args) => (args.length === 0 ? fetch() : fetch(absolute(args[0]), ...args.slice(1)));
  runInThisContext('const fetch = globalThis.subjectFetch; delete globalThis.subjectFetch;');
}

/** All scripts run before the harness looks for tests, as in a page. */
function runTests() {
  return new Promise((resolve) => {
    const [harness, ...rest] = scripts;
    runInThisContext(harness.source, { filename: harness.name });
    globalThis.add_completion_callback((tests, status) => {
      timers.clearTimeout(timer);
      resolve({ tests, status });
    });
    const timer = timers.setTimeout(() => globalThis.timeout(), timeoutMs);
    for (const script of rest) runInThisContext(script.source, { filename: script.name });
  });
}

async function closeSubject() {
  const late = new Promise((resolve) => timers.setTimeout(() => resolve(false), CLOSE_MS));
  return Promise.race([subject.close().then(() => true), late]);
}

function tell(message) {
  return new Promise((resolve) => process.send(message, resolve));
}
