// The judgement: what the client holds for accepted against what the server says it did.

import { readFileSync } from 'node:fs';

/**
 * @param {string} logFile The server's log.
 * @param {string} acceptedFile The client's list.
 * @param {number} expected How many were meant.
 * @param {number} lanes In how many lanes.
 */
export function judge(logFile, acceptedFile, expected, lanes) {
  const accepted = new Set(linesOf(acceptedFile).map((line) => Number(line.split(' ', 1)[0])));
  const log = linesOf(logFile).map((line) => JSON.parse(line));
  const applied = log.filter((entry) => entry.recognised !== true);

  const times = new Map();
  for (const { intent } of applied) times.set(intent, (times.get(intent) ?? 0) + 1);
  const lost = [...accepted].filter((intent) => !times.has(intent)).length;
  const duplicated = applied.length - times.size;

  const lastStep = new Map();
  const broken = new Set();
  for (const { lane, step } of applied) {
    if (step <= (lastStep.get(lane) ?? -1)) broken.add(lane);
    lastStep.set(lane, step);
  }
  const order =
    broken.size === 0 ? `order kept in ${lastStep.size} lanes` : `order broken in ${broken.size} of ${lanes} lanes`;

  return {
    line: `${accepted.size} accepted, ${applied.length} applied, ${lost} lost, ${duplicated} duplicated, ${order}`,
    recognised: log.length - applied.length,
    good:
      accepted.size === expected &&
      applied.length === expected &&
      lost === 0 &&
      duplicated === 0 &&
      broken.size === 0 &&
      lastStep.size === lanes,
  };
}

function linesOf(file) {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
