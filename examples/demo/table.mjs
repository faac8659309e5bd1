// The live table: redrawn in place on a terminal, a line now and then elsewhere.

const STATES = ['ready', 'scheduled', 'blocked', 'sending', 'unknown', 'held', 'succeeded', 'dead'];
const PLAIN_EVERY_MS = 1_000;

export class Table {
  #out;
  #since = performance.now();
  #drawn = 0;
  #lastPlain = Number.NEGATIVE_INFINITY;

  /** @param {NodeJS.WriteStream} out */
  constructor(out) {
    this.#out = out;
  }

  /** A line of the story, above the table. */
  say(text) {
    this.#erase();
    this.#out.write(`${this.#time()}  ${text}\n`);
  }

  /** Shows `view`: the server's and the client's last reports, and whether they run. */
  show(view) {
    if (this.#out.isTTY) {
      this.#erase();
      const lines = linesOf(view);
      this.#out.write(`${lines.join('\n')}\n`);
      this.#drawn = lines.length;
    } else if (performance.now() - this.#lastPlain >= PLAIN_EVERY_MS) {
      this.#lastPlain = performance.now();
      const states = STATES.filter((state) => view.counts[state] > 0).map((state) => `${state} ${view.counts[state]}`);
      this.#out.write(
        `${this.#time()}    server ${view.server}, client ${view.client}: accepted ${view.accepted}, applied ${view.applied}` +
          `${states.length > 0 ? `; ${states.join(', ')}` : ''}\n`,
      );
    }
  }

  #erase() {
    if (this.#drawn > 0) this.#out.write(`\x1b[${this.#drawn}A\x1b[0J`);
    this.#drawn = 0;
  }

  #time() {
    return `${((performance.now() - this.#since) / 1_000).toFixed(1).padStart(5)} s`;
  }
}

function linesOf(view) {
  const bar = (value) => '█'.repeat(Math.round(value / 25));
  return [
    '',
    `  server ${view.server.padEnd(8)} applied  ${String(view.applied).padStart(5)}   resends recognised ${view.recognised}`,
    `  client ${view.client.padEnd(8)} accepted ${String(view.accepted).padStart(5)}`,
    '',
    ...STATES.map((state) => {
      const count = view.counts[state] ?? 0;
      return `  ${state.padEnd(10)} ${String(count).padStart(5)} ${bar(count)}`;
    }),
  ];
}
