import { hash53 } from '../codec.ts';
import type { Database, Statement } from './driver.ts';

/**
 * Lanes whose newcomers are let into another one: an entity's lane by its server id, while its lane by its local id has live
 * requests. Kept in memory, so that a newcomer costs no look into the database; changed in both at once.
 */
export class Aliases {
  readonly #locals = new Map<string, string>();
  /** Server lanes by the hash of their local lane. */
  readonly #servers = new Map<number, Set<string>>();
  readonly #read: Statement;
  readonly #insert: Statement;
  readonly #delete: Statement;

  constructor(database: Database) {
    this.#read = database.prepare('SELECT server, local FROM alias');
    this.#insert = database.prepare('INSERT INTO alias(server, local) VALUES (?, ?)');
    this.#delete = database.prepare('DELETE FROM alias WHERE server = ?');
  }

  /** Makes it what the database says; `isEmpty` spares the look. */
  load(isEmpty: boolean): void {
    this.#locals.clear();
    this.#servers.clear();
    if (isEmpty) return;
    for (const [server, local] of this.#read.all() as [string, string][]) this.#remember(server, local); // TEXT columns
  }

  get isEmpty(): boolean {
    return this.#locals.size === 0;
  }

  /** The lane that newcomers of this one are let into. */
  localOf(server: string): string | undefined {
    return this.#locals.get(server);
  }

  add(server: string, local: string): void {
    this.#insert.run(server, local);
    this.#remember(server, local);
  }

  /** The last live request of a lane ended: what led to it leads nowhere. */
  drop(line: number): void {
    for (const server of this.#servers.get(line) ?? []) {
      this.#delete.run(server);
      this.#locals.delete(server);
    }
    this.#servers.delete(line);
  }

  #remember(server: string, local: string): void {
    this.#locals.set(server, local);
    const line = hash53(local);
    const servers = this.#servers.get(line);
    if (servers === undefined) this.#servers.set(line, new Set([server]));
    else servers.add(server);
  }
}
