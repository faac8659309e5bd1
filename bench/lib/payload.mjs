/** What every caller sends: 512 bytes of JSON. */
export const BODY = Object.freeze({ kind: 'note', text: 'x'.repeat(487) });

/** What every call is answered: 256 bytes of JSON. */
export const ANSWER = JSON.stringify({ id: 4711, status: 'created', text: 'y'.repeat(216) });

export const PATH = '/v1/notes';
