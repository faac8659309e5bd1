// What a run prints: progress, each difference, and one table.

const MAX_SHOWN = 12;
const MAX_TEXT = 400;

export function say(text) {
  process.stdout.write(`${text}\n`);
}

export function printDifferences(rows) {
  for (const { sdk, fault, different } of rows) {
    for (const { operation, found } of different) {
      say(`\nDIFFERENT ${sdk}, ${operation}, fault ${fault}`);
      for (const { path, native, queue } of found.slice(0, MAX_SHOWN)) {
        say(`  ${path}\n    native ${show(native)}\n    queue  ${show(queue)}`);
      }
      if (found.length > MAX_SHOWN) say(`  … and ${found.length - MAX_SHOWN} more`);
    }
  }
}

/** What an operation gave, and the requests it took. */
export function showRun(sdk, operation, { outcome, log }) {
  const requests = log.map(({ method, path, body }) => `${method} ${path} (${body.length} bytes)`);
  say(`${sdk}, ${operation}\n  ${show(outcome)}\n  ${requests.join('; ')}`);
}

function show(value) {
  const text = value === undefined ? '(absent)' : JSON.stringify(value);
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

export function printTable(rows, names) {
  say(
    '\n| SDK | fault | operations | queued | equal | different | allowed for | keyless writes twice | slowest operation, s | s |',
  );
  say('|---|---|---|---|---|---|---|---|---|---|');
  const sorted = [...rows].sort((a, b) => names.indexOf(a.sdk) - names.indexOf(b.sdk));
  for (const { sdk, fault, operations, equal, different, allowed, repeats, ms, missing, queued, slowestMs } of sorted) {
    const counts = missing ? `**MISSING** | ${missing}` : `${equal} | ${different.length}`;
    say(
      `| ${sdk} | ${fault} | ${operations} | ${queued ?? ''} | ${counts} | ${allowed.length} | ${repeats} | ${(slowestMs / 1000).toFixed(1)} | ${(ms / 1000).toFixed(1)} |`,
    );
  }
  const ran = rows.filter(({ missing }) => !missing);
  const sum = (pick) => ran.reduce((total, row) => total + pick(row), 0);
  const total = `${sum((row) => row.operations)} operations, ${sum((row) => row.equal)} equal`;
  const rest = `${sum((row) => row.different.length)} different, ${sum((row) => row.repeats)} keyless writes seen twice`;
  say(`\n${total}, ${rest}, ${rows.length - ran.length} SDK runs missing an adapter`);
}
