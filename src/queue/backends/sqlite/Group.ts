import { rollback } from './connection.ts';
import type { Database, Statement } from './driver.ts';
import { isBusy, isFull } from './errors.ts';
import type { Verb } from './protocol.ts';
import { READS } from './protocol.ts';
import type { Reserve } from './Reserve.ts';
import { Rows } from './Rows.ts';
import { VERBS } from './verbs/verbs.ts';
import type { Patience } from './waiting.ts';

export type Operation = readonly [verb: Verb, takes: unknown];

/** What only adds to what is stored. */
const GROWING: ReadonlySet<Verb> = new Set(['enqueue', 'scheduleSet']);

/** What a group's operations gave, in their order; failed ones by position. */
export interface GroupResult {
  readonly answers: unknown[];
  readonly errors: [number, unknown][];
}

/**
 * Group commit: everything that waits is done in one transaction, in order, and answered after its one commit. When an
 * operation fails, the transaction is undone and its operations are done again one by one, so that only the bad one fails.
 */
export class Group {
  readonly #database: Database;
  readonly #patience: Patience;
  readonly #reserve: Reserve;
  readonly #rows: Rows;
  readonly #begin: Statement;
  readonly #beginRead: Statement;
  readonly #commit: Statement;
  readonly #dataVersion: Statement;
  #seenVersion = Number.NaN;
  #isStale = true;

  constructor(database: Database, patience: Patience, reserve: Reserve) {
    this.#database = database;
    this.#patience = patience;
    this.#reserve = reserve;
    this.#rows = new Rows(database);
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#beginRead = database.prepare('BEGIN');
    this.#commit = database.prepare('COMMIT');
    this.#dataVersion = database.prepare('PRAGMA data_version');
  }

  /** True once after another connection committed. */
  sawForeignCommit(): boolean {
    const version = this.#dataVersion.get()?.[0] as number; // it answers with one integer
    if (version === this.#seenVersion) return false;
    const isFirst = Number.isNaN(this.#seenVersion);
    this.#seenVersion = version;
    this.#isStale = true;
    return !isFirst;
  }

  /** `onForeignCommit` is called when another connection was found to have committed since the last look. */
  run(operations: readonly Operation[], onForeignCommit: () => void): GroupResult {
    try {
      return { answers: this.#transact(operations, onForeignCommit), errors: [] };
    } catch (error) {
      if (isBusy(error)) {
        return { answers: operations.map(() => undefined), errors: operations.map((_, index) => [index, error]) };
      }
    }
    const answers: unknown[] = [];
    const errors: [number, unknown][] = [];
    operations.forEach((operation, index) => {
      try {
        answers.push(this.#alone(operation, onForeignCommit));
      } catch (error) {
        answers.push(undefined);
        errors.push([index, error]);
      }
    });
    return { answers, errors };
  }

  /** On a full disk everything but taking in more may use the reserve: what is under way must be settled. */
  #alone(operation: Operation, onForeignCommit: () => void): unknown {
    try {
      return this.#transact([operation], onForeignCommit)[0];
    } catch (error) {
      if (GROWING.has(operation[0]) || !isFull(error) || !this.#reserve.release()) throw error;
    }
    return this.#transact([operation], onForeignCommit)[0];
  }

  #transact(operations: readonly Operation[], onForeignCommit: () => void): unknown[] {
    const isWrite = operations.some(([verb]) => !READS.has(verb));
    this.#patience.whileBusy(() => (isWrite ? this.#begin : this.#beginRead).run());
    try {
      // Within the transaction: from here on nobody else commits anything that it would not see.
      if (this.#patience.whileBusy(() => this.sawForeignCommit())) onForeignCommit();
      if (this.#isStale) this.#rows.ledger.load();
      this.#isStale = false;
      const answers = operations.map(([verb, takes]) => this.#perform(verb, takes));
      if (isWrite) this.#rows.ledger.flush();
      this.#commit.run();
      return answers;
    } catch (error) {
      this.#isStale = true;
      rollback(this.#database);
      throw error;
    }
  }

  #perform(verb: Verb, takes: unknown): unknown {
    if (verb === 'enqueue') this.#reserve.keep();
    const perform = VERBS[verb] as (rows: Rows, takes: unknown) => unknown; // both come from one call of the same verb
    return perform(this.#rows, takes);
  }
}
