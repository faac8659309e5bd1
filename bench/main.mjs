// Measures Holdfast beside its peers. `--full` takes its time; `--rows=1,3` runs some of the rows
// and writes nothing; `--pairs=9` runs more pairs.
import { parseArgs } from 'node:util';
import { currentLoad, describeMachine } from './lib/machine.mjs';
import { printTable, writeResult } from './lib/report.mjs';
import { backlogRows } from './rows/backlog.mjs';
import { batching } from './rows/batching.mjs';
import { claimCost } from './rows/claimCost.mjs';
import { eventLoop } from './rows/eventLoop.mjs';
import { gateDecision } from './rows/gateDecision.mjs';
import { memoryLifecycle, sqliteLifecycle } from './rows/lifecycle.mjs';
import { redisBacklog } from './rows/redisBacklog.mjs';
import { redisLifecycle } from './rows/redisLifecycle.mjs';
import { wire } from './rows/wire.mjs';
import { zoneBeside } from './rows/zoneBeside.mjs';

const ROWS = [
  wire,
  sqliteLifecycle,
  memoryLifecycle,
  claimCost,
  backlogRows,
  eventLoop,
  redisLifecycle,
  redisBacklog,
  gateDecision,
  zoneBeside,
  batching,
];

const { values } = parseArgs({
  options: { full: { type: 'boolean', default: false }, rows: { type: 'string' }, pairs: { type: 'string' } },
});
const isFull = values.full;
const rounds = Number(values.pairs ?? 7);
const loop = isFull ? { warmUpMs: 1_500, measureMs: 4_000 } : { warmUpMs: 500, measureMs: 1_000 };
const wanted = values.rows?.split(',').map(Number);
const wants = (number) => wanted === undefined || wanted.includes(number);

const started = performance.now();
const machine = await describeMachine();
console.log(
  `${machine.processor}, ${machine.cores} cores, Node ${machine.node}, 4 KiB sync ${machine.syncMs} ms, load ${machine.load}`,
);
const shared = {
  rounds,
  loop: { callers: 100, ...loop },
  backlog: isFull ? 1_000_000 : 100_000,
  wants,
};
const lines = [];
const skipped = [];
const results = {};
for (const row of ROWS.filter(({ numbers }) => numbers.some(wants))) {
  const name = `row ${row.numbers.filter(wants).join(', ')}`;
  const found = await row.run({ ...shared, progress: (text) => progress(`${name}: ${text}`) });
  lines.push(...found.lines.filter((line) => wants(line.row)));
  results[name] = found.results;
  if (found.skipped !== undefined) skipped.push(`${name} was not run: ${found.skipped}`);
}
progress('');
const tookS = Math.round((performance.now() - started) / 1000);
const loadAfter = currentLoad();
lines.sort((a, b) => a.row - b.row);
printTable(lines);
for (const text of skipped) console.log(text);
if (!isFull)
  console.log('Quick: short runs, and 100,000 waiting where the full one (npm run bench:full) has 1,000,000.');
if (machine.load > 0.5)
  console.log(`The machine was busy before the run (load ${machine.load}): read ratios with care.`);
console.log(`${tookS} s`);
if (wanted === undefined) {
  const path = writeResult(isFull ? 'full' : 'quick', {
    date: new Date().toISOString(),
    tookS,
    machine: { ...machine, loadAfter },
    pairs: rounds,
    ...shared.loop,
    backlog: shared.backlog,
    lines,
    results,
  });
  console.log(`All figures are in ${path}`);
}

function progress(text) {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
  else if (text !== '') console.log(text);
}
