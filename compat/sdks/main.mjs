// Runs public SDKs over their own transport and through the queue, and compares results, errors and what the server saw.
//   node main.mjs [--sdk=stripe,openai] [--backend=memory|sqlite] [--fault=none|refused|503|reset|offline|slow|all]
//                 [--subject=queue|native|naive] [--jobs=4] [--show]
// `--show` prints what each operation gives, to see that it does what it says.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ALLOWED, isAllowed, MAX_ALLOWED } from './allowed.mjs';
import { printDifferences, printTable, say, showRun } from './report.mjs';
import { isKeylessWrite, judge, keylessRepeats, runOperation } from './run.mjs';
import { MissingAdapter, openSubject } from './subjects.mjs';

const FAULT_NAMES = ['none', 'refused', '503', 'reset', 'offline', 'slow'];

const { values } = parseArgs({
  options: {
    sdk: { type: 'string' },
    backend: { type: 'string', default: 'memory' },
    fault: { type: 'string', default: 'none' },
    subject: { type: 'string', default: 'queue' },
    jobs: { type: 'string', default: '4' },
    show: { type: 'boolean', default: false },
  },
});

const faults = values.fault === 'all' ? FAULT_NAMES : values.fault.split(',');
for (const fault of faults) if (!FAULT_NAMES.includes(fault)) throw new Error(`unknown fault: ${fault}`);
if (ALLOWED.length > MAX_ALLOWED) throw new Error(`more than ${MAX_ALLOWED} differences are allowed for`);

const started = performance.now();
const wanted = values.sdk?.split(',');
const cases = (await loadCases()).filter(({ name }) => wanted === undefined || wanted.includes(name));
if (cases.length === 0) throw new Error(`no such SDK: ${values.sdk}`);

// SDKs warn of every retry; the report is what tells.
for (const level of ['debug', 'info', 'log', 'warn', 'error']) console[level] = () => undefined;

const rows = [];
const unhandled = [];
process.on('unhandledRejection', (error) => unhandled.push(error));
for (const fault of faults) {
  const waiting = cases.filter(({ operations }) => operations.some(({ only }) => isFor(only, fault)));
  const worker = async () => {
    for (let kase = waiting.shift(); kase !== undefined; kase = waiting.shift()) rows.push(await runCase(kase, fault));
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
}

printDifferences(rows);
printTable(
  rows,
  cases.map(({ name }) => name),
);
say(`${values.backend}, ${values.subject}: ${Math.round((performance.now() - started) / 1000)} s`);
for (const error of unhandled) say(`UNHANDLED ${error?.stack ?? error}`);
const isEqual = rows.every(({ missing, different, repeats }) => !missing && different.length === 0 && repeats === 0);
// Retries that an SDK began may have half an hour to go; a pipe is written to before.
process.stdout.write('', () => process.exit(isEqual && unhandled.length === 0 ? 0 : 1));

async function loadCases() {
  const files = readdirSync(new URL('cases/', import.meta.url)).filter((file) => file.endsWith('.mjs'));
  const modules = await Promise.all(files.sort().map((file) => import(new URL(`cases/${file}`, import.meta.url).href)));
  return modules.flatMap((module) => module.cases);
}

async function runCase(kase, fault) {
  const began = performance.now();
  const operations = kase.operations.filter(({ only }) => isFor(only, fault));
  const row = {
    sdk: kase.name,
    fault,
    operations: operations.length,
    equal: 0,
    different: [],
    allowed: [],
    repeats: 0,
    slowestMs: 0,
  };
  try {
    const native = await openSubject('native');
    const subject = await openSubject(values.subject, { backend: values.backend, hasFault: fault !== 'none' });
    try {
      await subject.transport(kase.seam); // a missing adapter is told once, not by each operation
      const compare = (operation) => compareOperation({ kase, operation, native, subject, fault, row });
      await Promise.all(operations.filter(({ only }) => only === undefined).map(compare));
      // What stops a call by the clock has the machine to itself.
      for (const operation of operations.filter(({ only }) => only !== undefined)) await compare(operation);
      row.queued = subject.accepted?.() ?? null;
      if (row.queued === 0) throw new Error('nothing went through the queue');
    } finally {
      await subject.close();
    }
  } catch (error) {
    if (error instanceof MissingAdapter) row.missing = error.message;
    else
      row.different.push({ operation: '(all)', found: [{ path: 'harness', native: '', queue: String(error.stack) }] });
  }
  row.ms = Math.round(performance.now() - began);
  say(
    `${fault} ${kase.name}: ${row.missing ? `MISSING, ${row.missing}` : `${row.equal}/${row.operations} equal`}, ${row.ms} ms`,
  );
  return row;
}

/** Callers in a hurry are made so by the operation. */
function isFor(only, fault) {
  return only === undefined ? fault !== 'slow' : only === fault;
}

async function compareOperation({ kase, operation, native, subject, fault, row }) {
  const reference = await runOperation({ kase, operation, subject: native, fault: 'none' });
  if (values.show) showRun(kase.name, operation.name, reference);
  const offlineAfter = Math.floor(reference.log.length / 2);
  const isDoubtful = fault === 'reset' && reference.log.some(isKeylessWrite);
  const [run, lost] = await Promise.all([
    runOperation({ kase, operation, subject, fault, offlineAfter }),
    isDoubtful ? runOperation({ kase, operation, subject: native, fault: 'reset-always' }) : undefined,
  ]);
  if (values.show)
    showRun(`${kase.name} (${values.subject}, ${fault})`, `${operation.name}, ${Math.round(run.ms)} ms`, run);
  if (run.outcome.pending === undefined) row.slowestMs = Math.max(row.slowestMs, run.ms);
  const found = judge({ kase, fault, reference, lost, run });
  const documented = (path) => isAllowed({ sdk: kase.name, operation: operation.name, path });
  const undocumented = found.filter(({ path }) => !documented(path));
  if (found.length > undocumented.length) row.allowed.push(operation.name);
  if (undocumented.length === 0) row.equal += 1;
  else row.different.push({ operation: operation.name, found: undocumented });
  if (fault !== 'none') row.repeats += keylessRepeats(run.log, reference.log);
}
