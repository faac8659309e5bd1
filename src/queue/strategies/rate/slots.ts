/** A sliding window is counted in slots of a sixtieth of its length. */
export const SLOTS = 60;

/** Slots that may hold calls of one window: it reaches into the oldest of them, as it started within the newest. */
export const COUNTED_SLOTS = SLOTS + 1;

/**
 * The slot of an instant. Whole ms on both sides make the bound hold for real: calls of slots 61 apart are more than `perMs`
 * apart, and the next whole ms, so none of a ms is lost.
 */
export function slotAt(at: number, perMs: number): number {
  return Math.floor((Math.floor(at) * SLOTS) / perMs);
}

/** The first ms that is no longer of the slot. */
export function slotEnd(slot: number, perMs: number): number {
  return Math.ceil(((slot + 1) * perMs) / SLOTS);
}

/** The first ms at which a slot lies wholly outside the window that ends there. */
export function lapsesAt(slot: number, perMs: number): number {
  return slotEnd(slot + SLOTS, perMs);
}
