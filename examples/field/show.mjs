// How the story is told.

/** @param {string} text */
export function heading(text) {
  console.log(`\n${text}`);
}

function row(...cells) {
  console.log(
    `  ${cells
      .map(([text, width]) => String(text).padEnd(width))
      .join(' ')
      .trimEnd()}`,
  );
}

const only = (told, what) => told.filter((one) => one.what === what);
const shown = (value) => (value === undefined ? '-' : JSON.stringify(value));

export function stored(told) {
  for (const { name, id } of only(told, 'stored')) row([name, 8], [id, 0]);
}

export function plan(requests) {
  const number = new Map(requests.map(({ id }, index) => [id, index + 1]));
  for (const { id, would, method, path, guarantee, after } of requests) {
    const order = after.length === 0 ? '' : `after ${after.map((one) => number.get(one)).join(', ')}`;
    row([number.get(id), 1], [would, 4], [method, 5], [path, 57], [guarantee, 11], [order, 0]);
  }
}

export function log(entries) {
  for (const { by, method, path, ifMatch = '', body, status, recognised } of entries) {
    const note = recognised ? '(seen before: not applied again)' : '';
    row([by, 10], [method, 5], [path, 13], [ifMatch, 4], [status, 3], [JSON.stringify(body), 0], [note, 0]);
  }
}

export function ended(told, before) {
  const names = new Map(only(before, 'stored').map(({ id, name }) => [id, name]));
  for (const { localId, serverId } of only(told, 'bound')) row(['bound', 8], [`${localId} is ${serverId}`, 0]);
  for (const { id, strategy, action } of only(told, 'resolved')) {
    row([names.get(id), 8], [`met a conflict: ${strategy}, ${action}`, 0]);
  }
  for (const { id, state, reason } of only(told, 'ended')) row([names.get(id), 8], [`${state} (${reason})`, 0]);
}

export function conflict(told) {
  const final = only(told, 'ticket')[0]?.ticket ?? {};
  for (const { base, local, remote } of only(told, 'ended').flatMap(({ conflicts }) => conflicts)) {
    row(['', 8], ['base', 23], ['technician', 12], ['office', 23], ['result', 0]);
    for (const field of Object.keys(final)) {
      const [was, here, there, is] = [base, local, remote, final].map((side) => shown(side[field]));
      row([field, 8], [was, 23], [here, 12], [there, 23], [is, 0]);
    }
  }
}

export function things(server) {
  for (const collection of ['/tickets', '/notes', '/time-entries']) {
    for (const thing of server.all(collection)) row([collection, 13], [JSON.stringify(thing), 0]);
  }
}
