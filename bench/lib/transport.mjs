import { ANSWER } from './payload.mjs';

/** Answers every call at once, without a wire: what is left is the queue's own cost. */
export function instantTransport() {
  const response = {
    status: 200,
    headers: [['content-type', 'application/json']],
    body: new TextEncoder().encode(ANSWER),
  };
  const answered = Promise.resolve({ phase: 'answered', response });
  return { isPunctual: true, send: () => answered, close: () => Promise.resolve() };
}
