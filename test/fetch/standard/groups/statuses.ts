import { expect } from 'vitest';
import type { Case, Group } from '../support/types.ts';

const WRITES = [200, 201, 202, 203, 206, 207, 299, 300, 400, 402, 403, 404, 405, 409, 410, 412, 413, 418, 422, 451];
const SERVER = [500, 501, 505, 599];

/** An answer is an answer, whatever its status: fetch rejects for none. */
function answered(method: string, status: number): Case {
  return {
    name: `${status} after ${method} is an answer`,
    run: async (fetch, site) => {
      const answer = await fetch(site.url(`/status/${status}`), { method });
      expect([answer.status, answer.ok]).toEqual([status, status < 300]);
      expect([answer.type, answer.url]).toEqual(['basic', site.url(`/status/${status}`)]);
      expect(answer.headers.get('x-name')).toBe('value');
      expect(await answer.text()).toBe('body');
      expect(site.requests).toHaveLength(1);
    },
  };
}

/** What asks to be tried again is told in the end: a queue tries until the deadline, others know no such member. */
function toldInTheEnd(method: string, status: number): Case {
  return {
    name: `${status} after ${method} is an answer in the end`,
    run: async (fetch, site) => {
      const answer = await fetch(site.url(`/status/${status}`), { method, queue: { deadline: Date.now() + 20_000 } });
      expect([answer.status, answer.type, answer.url]).toEqual([status, 'basic', site.url(`/status/${status}`)]);
      expect(await answer.text()).toBe('body');
    },
  };
}

/** Every status that is told, not acted upon. */
export const STATUSES: Group = {
  name: 'statuses',
  cases: [
    ...[...WRITES, 401, ...SERVER].map((status) => answered('POST', status)),
    ...[200, 299, 300, 400, 401, 403, 404, 410, 418, 451, ...SERVER].map((status) => answered('GET', status)),
    // A zone that is down or asks to wait is waited for: what is told in the end is that the deadline passed.
    ...[408, 421, 425].map((status) => toldInTheEnd('GET', status)),
    ...[408, 421, 425, 502, 504].map((status) => toldInTheEnd('POST', status)),
  ],
};
