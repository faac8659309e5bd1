import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Counts } from '../../../../src/queue/core/report.ts';
import { DIST } from '../../../processes/support/child.ts';

/** What a process on a store without room is told. JSON on its command line. */
export interface FullOrder {
  readonly dist: string;
  readonly origin: string;
  /** A small disk of its own, mounted there; or a Redis server of the test's. */
  readonly folder: string;
  readonly redis?: { readonly port: number; readonly keyPrefix: string } | undefined;
  readonly do: 'fill' | 'die' | 'drain';
  readonly points?: readonly FullPoint[] | undefined;
  readonly count?: number | undefined;
}

/** The so manieth use of a verb of the store. */
export type FullPoint = readonly [verb: 'recover' | 'enqueue' | 'claim' | 'settle', nth: number];

/** What was given to the queue: its id, or why it was not accepted. */
export interface Given {
  readonly intent: number;
  readonly id?: string;
  readonly code?: string;
}

/** What it tells of a run. */
export interface FullRun {
  readonly run: string;
  /** It came to the point at which the room ran out. */
  readonly isFilled: boolean;
  readonly results: readonly Given[];
  readonly later: readonly Given[];
  readonly whileFull: Counts;
  readonly counts: Counts;
  readonly afterwards: Counts;
}

const SCRIPT = fileURLToPath(new URL('./fullStore.mjs', import.meta.url));
const SIZE = '32m';

/** Whether the system lets an ordinary user have a disk of its own. */
export const CAN_MOUNT: boolean = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

/** Lives one after another, on one small disk where they have no Redis; what each said, line by line. */
export async function lives(orders: readonly Omit<FullOrder, 'dist' | 'folder'>[]): Promise<FullRun[]> {
  const commands = orders.map((order) => {
    const whole: FullOrder = { dist: DIST, folder: '/mnt', ...order };
    return `"$NODE" "$SCRIPT" '${JSON.stringify(whole)}'`;
  });
  const shell = `${orders[0]?.redis === undefined ? `mount -t tmpfs -o size=${SIZE} tmpfs /mnt && ` : ''}{ ${commands.join('; ')}; }`;
  const [command, args] =
    orders[0]?.redis === undefined ? ['unshare', ['-rm', 'sh', '-c', shell]] : ['sh', ['-c', shell]];
  const child = spawn(command as string, args as string[], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE: process.execPath, SCRIPT },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await once(child, 'close');
  const said = stdout.split('\n').filter((line) => line !== '');
  // A shell says so of lives that kill themselves.
  stderr = stderr.replace(/^Killed$/gm, '').trim();
  if (stderr !== '') throw new Error(`a life failed, after it said ${stdout.slice(-500)}: ${stderr}`);
  return said.map((line) => JSON.parse(line) as FullRun);
}
