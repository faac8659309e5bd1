import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const { HOLDFAST_DIST } = process.env;
/** The compiled package: children cannot load TypeScript on every supported Node. */
export const DIST: string = HOLDFAST_DIST ?? fileURLToPath(new URL('../../../dist', import.meta.url));

export interface ChildEnd {
  readonly lines: readonly string[];
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** A process of ours: the lines it says, and its end. Whoever starts one awaits `ended`, or kills it first. */
export interface Child {
  readonly process: ChildProcess;
  readonly lines: readonly string[];
  /** The first line, said already or to come, that starts so; rejects if the process ends without it. */
  line(start: string): Promise<string>;
  /** Gives it a line of input, as JSON. */
  tell(command: object): void;
  kill(): Promise<ChildEnd>;
  readonly ended: Promise<ChildEnd>;
}

/** Runs a script with `args`, in the folder `cwd` where given, and listens to its lines. */
export function startChild(script: URL, args: readonly string[], cwd?: string): Child {
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], { stdio: ['pipe', 'pipe', 'pipe'], cwd });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const check of [...waiting]) check();
  });
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ lines, code, signal, stderr }));
  });

  return {
    process: child,
    lines,
    ended,
    line: (start) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const found = lines.find((line) => line.startsWith(start));
          if (found === undefined) return;
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
        ended.then((end) => reject(new Error(`ended without '${start}': ${describe(end)}`)), reject);
      }),
    tell: (command) => {
      child.stdin.write(`${JSON.stringify(command)}\n`);
    },
    kill: () => {
      child.kill('SIGKILL');
      return ended;
    },
  };
}

export function describe(end: ChildEnd): string {
  return `code ${end.code}, signal ${end.signal}, said ${JSON.stringify(end.lines.slice(-3))}\n${end.stderr}`;
}
