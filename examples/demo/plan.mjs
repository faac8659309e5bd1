// What the client wants done: 1,000 writes to 50 notes, 20 to each, in an order that matters per note.

export const LANES = 50;
export const STEPS = 20;

/**
 * @typedef {object} Intent
 * @property {number} n Its number, from 0.
 * @property {string} lane The note it belongs to.
 * @property {number} step Its place within the note, from 0.
 * @property {'POST' | 'PUT'} method
 * @property {string} path
 * @property {{ intent: number, lane: string, step: number }} body
 */

/** Every intent, in the order in which they are meant: a note is created, then gets lines and new titles in turn. */
export function intents() {
  /** @type {Intent[]} */
  const all = [];
  for (let step = 0; step < STEPS; step += 1) {
    for (let note = 1; note <= LANES; note += 1) {
      const lane = `note-${String(note).padStart(2, '0')}`;
      const n = all.length;
      all.push({ n, lane, step, ...target(lane, step), body: { intent: n, lane, step } });
    }
  }
  return all;
}

/**
 * @param {string} lane
 * @param {number} step
 * @returns {{ method: 'POST' | 'PUT', path: string }}
 */
function target(lane, step) {
  if (step === 0) return { method: 'POST', path: '/notes' };
  if (step % 2 === 0) return { method: 'PUT', path: `/notes/${lane}` };
  return { method: 'POST', path: `/notes/${lane}/lines` };
}
