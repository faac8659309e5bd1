import { readFileSync, readlinkSync } from 'node:fs';
import type { WorkerIdentity } from '../types/backend.ts';

/**
 * Who this process is, in terms another process of the machine can check: boot, pid namespace, pid and start time. Empty
 * where the system does not tell; such a worker is judged by its lease alone.
 */
export function currentIdentity(worker: string): WorkerIdentity {
  return {
    worker,
    bootId: read('/proc/sys/kernel/random/boot_id'),
    pidNamespace: link('/proc/self/ns/pid'),
    pid: process.pid,
    processStart: startOf(process.pid),
  };
}

/** True only when `other` was of this boot and namespace and its process surely no longer runs. */
export function isGone(own: WorkerIdentity, other: WorkerIdentity): boolean {
  if (own.bootId === '' || own.bootId !== other.bootId || own.pidNamespace !== other.pidNamespace) return false;
  if (other.worker === own.worker) return false;
  if (!isRunning(other.pid)) return true;
  const start = startOf(other.pid);
  return start !== '' && other.processStart !== '' && start !== other.processStart;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM'; // it runs, as another user
  }
}

/** Field 22 of /proc/<pid>/stat (proc(5)): clock ticks from boot to the start of the process. */
function startOf(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  // The second field is the command in parentheses and may hold anything, so fields count from its end.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return ''; // not this system, or the process is gone
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // not this system
  }
}
