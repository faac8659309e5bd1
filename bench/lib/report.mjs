import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fixed } from './pairs.mjs';

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));

/** True where there is a target and the median meets it. */
export function isMet({ target, value }) {
  if (target === undefined) return undefined;
  return target.least === undefined ? value.median <= target.most : value.median >= target.least;
}

export function printTable(lines) {
  const rows = lines.map((line) => [
    String(line.row),
    line.what,
    `${fixed(line.value.median)}${line.unit}`,
    `${fixed(line.value.min)}–${fixed(line.value.max)}`,
    targetOf(line),
    { true: 'met', false: 'NOT MET', undefined: '' }[isMet(line)],
    `${line.ours} / ${line.theirs}`,
    line.p99 ?? '',
  ]);
  const head = ['row', 'what', 'median', 'spread', 'target', '', 'ours / theirs', 'p99'];
  const widths = head.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column])].map((cell) => cell.length)),
  );
  const print = (row) =>
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
  print(head);
  print(widths.map((width) => '─'.repeat(width)));
  for (const row of rows) print(row);
  const notes = new Set(lines.flatMap(({ row, note }) => (note === undefined ? [] : [`row ${row}: ${note}`])));
  for (const note of notes) console.log(note);
}

function targetOf({ target, unit }) {
  if (target === undefined) return '';
  return target.least === undefined ? `≤ ${target.most}${unit}` : `≥ ${target.least}${unit}`;
}

/** Writes the figures of a run, each side's rounds included. Returns where. */
export function writeResult(name, result) {
  mkdirSync(RESULTS, { recursive: true });
  const path = `${RESULTS}${name}.json`;
  const lines = result.lines.map((line) => ({ ...line, met: isMet(line) }));
  writeFileSync(path, `${JSON.stringify({ ...result, lines }, rounded, 1)}\n`);
  return path;
}

function rounded(_key, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
