import type { OpenOptions, WorkerIdentity } from '../../types/backend.ts';
import type { StoredWorker } from './protocol.ts';

interface Sighting {
  readonly aliveUntil: number;
  readonly sinceMs: number;
}

/**
 * Judges whether other workers are dead. Of our boot of the machine: by its clock, which all its processes share, or
 * because the process is gone. Of another boot the stored times can only show that it ran longer than ours has; else
 * such a worker is dead when it gave no new sign of life for as long as its lease, by our own monotonic time since we first saw it.
 * Wall time plays no part, so a step of it kills nobody.
 */
export class Observer {
  readonly identity: WorkerIdentity;
  readonly leaseMs: number;
  readonly #isGone: OpenOptions['isGone'];
  readonly #sightings = new Map<string, Sighting>();

  constructor(identity: WorkerIdentity, leaseMs: number, isGone: OpenOptions['isGone']) {
    this.identity = identity;
    this.leaseMs = leaseMs;
    this.#isGone = isGone;
  }

  /** The dead among them, each with the sign of life that was judged. */
  dead(workers: readonly StoredWorker[], leaseNow: number): [string, number][] {
    const present = new Set(workers.map(({ worker }) => worker));
    for (const worker of this.#sightings.keys()) if (!present.has(worker)) this.#sightings.delete(worker);
    return workers
      .filter((worker) => worker.worker !== this.identity.worker && this.#isDead(worker, leaseNow))
      .map(({ worker, aliveUntil }) => [worker, aliveUntil]);
  }

  #isDead(other: StoredWorker, leaseNow: number): boolean {
    if (other.bootId === this.identity.bootId) {
      if (other.aliveUntil <= leaseNow) return true;
      return other.pidNamespace === this.identity.pidNamespace && this.#isGone(other);
    }
    // Its clock was further than ours is: that was an earlier boot of this machine, and nothing of it runs any more.
    if (other.aliveUntil - other.leaseMs > leaseNow) return true;
    const seen = this.#sightings.get(other.worker);
    if (seen !== undefined && seen.aliveUntil === other.aliveUntil) return leaseNow - seen.sinceMs >= other.leaseMs;
    this.#sightings.set(other.worker, { aliveUntil: other.aliveUntil, sinceMs: leaseNow });
    return false;
  }
}
