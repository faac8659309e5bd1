/** node run.mjs [--subjects naive,memory,sqlite] [--filter TEXT] [--jobs N] [--json FILE] [--verbose] */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { countStatuses, differences, judge } from './lib/compare.mjs';
import { HERE, TESTS } from './lib/paths.mjs';
import { runFile } from './lib/runFile.mjs';
import { startServer } from './lib/server/server.mjs';
import { subjects } from './lib/subjects.mjs';
import { loadTest, testFiles } from './lib/testFiles.mjs';

const QUEUES = new Set(['memory', 'sqlite']);

const { values: options } = parseArgs({
  options: {
    subjects: { type: 'string', default: 'native,memory,sqlite' },
    filter: { type: 'string', default: '' },
    jobs: { type: 'string', default: '2' },
    json: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});

if (!existsSync(join(TESTS, 'fetch'))) throw new Error('There are no tests yet: node fetch-tests.mjs');
const names = ['native', ...options.subjects.split(',').filter((name) => name !== 'native')];
const unknown = names.filter((name) => !subjects[name]);
if (unknown.length > 0) throw new Error(`No such subject: ${unknown.join(', ')}`);

const allowed = JSON.parse(await readFile(join(HERE, 'allowed.json'), 'utf8'));
const server = await startServer();
const report = {};
try {
  const paths = await testFiles(options.filter);
  const tests = await Promise.all(paths.map((path) => loadTest(path, server)));
  for (const name of names) report[name] = await runSubject(name, tests, report.native?.runs);
  if (server.unknown.size > 0) console.log(`\nnot served here: ${[...server.unknown].sort().join(', ')}`);
} finally {
  await server.close();
}
for (const name of names) print(name, report[name]);
if (options.json) await writeFile(options.json, `${JSON.stringify(report, toJson, 2)}\n`);
if (names.some((name) => QUEUES.has(name) && report[name].others.length > 0)) process.exitCode = 1;

/** Files in which a queue differs from native run once more: what does not differ both times is noise, and named so. */
async function runSubject(name, tests, native) {
  const startedAt = Date.now();
  const runs = await inParallel(tests, (test) => runFile(test, name, server.variables.ports), name);
  const first = native ? runs.flatMap((run, index) => differences(run.path, native[index], run)) : [];
  const second = QUEUES.has(name) ? await runAgain(name, tests, new Set(first.map(({ path }) => path))) : first;
  const same = (row) => second.some(({ path, name: subtest }) => path === row.path && subtest === row.name);
  const found = judge(first.filter(same), allowed);
  const unsteady = first.filter((row) => !same(row));
  return { runs, ...found, unsteady, seconds: Math.round((Date.now() - startedAt) / 1000) };
}

/** Differences of some files, measured anew on both sides. */
async function runAgain(name, tests, paths) {
  const { ports } = server.variables;
  const affected = tests.filter(({ path }) => paths.has(path));
  const native = await inParallel(affected, (test) => runFile(test, 'native', ports), 'native again');
  const runs = await inParallel(affected, (test) => runFile(test, name, ports), `${name} again`);
  return runs.flatMap((run, index) => differences(run.path, native[index], run));
}

async function inParallel(items, work, label) {
  const done = new Array(items.length);
  let next = 0;
  let finished = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      done[index] = await work(items[index]);
      progress(label, ++finished, items.length, done[index]);
    }
  };
  await Promise.all(Array.from({ length: Number(options.jobs) }, worker));
  return done;
}

function progress(label, finished, total, { path, results, notes }) {
  const tests = [...results].filter(([name]) => !name.startsWith('(file)'));
  const passed = tests.filter(([, { status }]) => status === 'PASS').length;
  const files = [...results].filter(([name, { status }]) => name.startsWith('(file)') && status !== 'OK');
  const remarks = [...files.map(([, { status, message }]) => `${status} ${message}`), ...notes]
    .join('; ')
    .slice(0, 300);
  console.log(`${label} ${finished}/${total} ${path} ${passed}/${tests.length} ${remarks}`.trimEnd());
}

function print(name, { runs, allowed: expected, others, unsteady, seconds }) {
  const counts = countStatuses(runs);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const each = Object.entries(counts).map(([status, count]) => `${status} ${count}`);
  console.log(`\n${name}: ${total} subtests in ${runs.length} files, ${each.join(', ')} (${seconds} s)`);
  if (name === 'native') return;
  const calls = runs.reduce((sum, run) => sum + run.calls, 0);
  if (QUEUES.has(name)) console.log(`  ${calls} calls went through the queue`);
  const missed = others.filter((row) => row.expected === 'PASS').length;
  console.log(
    `  ${expected.length + others.length} differ from native, ${expected.length} of them allowed; ${missed} of the others pass natively`,
  );
  if (!QUEUES.has(name) && !options.verbose) return;
  const lost = others.filter((row) => row.expected === 'PASS');
  printRows('native passes, this does not', lost);
  printRows(
    'native does not pass, and this ends otherwise',
    others.filter((row) => row.expected !== 'PASS'),
  );
  printRows('allowed', expected);
  printRows('differed once of two runs (not counted)', unsteady);
}

function printRows(title, rows) {
  if (rows.length === 0) return;
  console.log(`  ${title}: ${rows.length}`);
  for (const { path, name, expected, got, message, reason } of rows) {
    console.log(`    ${path} | ${name} | ${expected} -> ${got}`);
    if (message || reason) console.log(`      ${(reason ?? message).replaceAll('\n', ' ').slice(0, 400)}`);
  }
}

function toJson(_key, value) {
  if (value instanceof Map) return Object.fromEntries(value);
  return value;
}
