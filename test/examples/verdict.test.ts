import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

interface Verdict {
  readonly line: string;
  readonly good: boolean;
  readonly recognised: number;
}

const { judge } = (await import(new URL('../../examples/demo/verdict.mjs', import.meta.url).href)) as {
  judge(logFile: string, acceptedFile: string, expected: number, lanes: number): Verdict;
};

interface Line {
  readonly intent: number;
  readonly lane: string;
  readonly step: number;
  readonly recognised?: true;
}

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-verdict-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Two lanes of two writes each. */
const LOG: readonly Line[] = [
  { intent: 0, lane: 'a', step: 0 },
  { intent: 1, lane: 'b', step: 0 },
  { intent: 2, lane: 'a', step: 1 },
  { intent: 3, lane: 'b', step: 1 },
];

function judged(log: readonly Line[], accepted: readonly number[]): Verdict {
  const [logFile, acceptedFile] = [join(folder, 'log'), join(folder, 'accepted')];
  writeFileSync(logFile, log.map((line) => `${JSON.stringify(line)}\n`).join(''));
  writeFileSync(acceptedFile, accepted.map((n) => `${n} id-${n}\n`).join(''));
  return judge(logFile, acceptedFile, 4, 2);
}

describe('the verdict of the demo', () => {
  it('is good when every accepted write was applied once and in order', () => {
    const resend: Line = { intent: 1, lane: 'b', step: 0, recognised: true };
    expect(judged([...LOG, resend], [0, 1, 2, 3])).toEqual({
      line: '4 accepted, 4 applied, 0 lost, 0 duplicated, order kept in 2 lanes',
      recognised: 1,
      good: true,
    });
  });

  it.each<[string, readonly Line[], readonly number[], string]>([
    [
      'a write is lost',
      LOG.slice(0, 3),
      [0, 1, 2, 3],
      '4 accepted, 3 applied, 1 lost, 0 duplicated, order kept in 2 lanes',
    ],
    [
      'a write is applied twice',
      [...LOG, { intent: 3, lane: 'b', step: 1 }],
      [0, 1, 2, 3],
      '4 accepted, 5 applied, 0 lost, 1 duplicated, order broken in 1 of 2 lanes',
    ],
    [
      'a lane is out of order',
      [LOG[2], LOG[1], LOG[0], LOG[3]] as Line[],
      [0, 1, 2, 3],
      '4 accepted, 4 applied, 0 lost, 0 duplicated, order broken in 1 of 2 lanes',
    ],
    [
      'not all was accepted',
      LOG.slice(0, 2),
      [0, 1],
      '2 accepted, 2 applied, 0 lost, 0 duplicated, order kept in 2 lanes',
    ],
  ])('is bad when %s', (_name, log, accepted, line) => {
    expect(judged(log, accepted)).toMatchObject({ line, good: false });
  });
});
