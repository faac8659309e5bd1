import { expect, it } from 'vitest';
import { FlowBook } from '../../../src/queue/backends/memory/FlowBook.ts';

it('a time of a trillion requests still tells weights apart', () => {
  const book = new FlowBook();
  const turn = (flow: string, weight: number) => ({ form: 'flow', group: 'g', flow, weight }) as const;
  book.advance('g', 1e12, 0);
  for (let n = 0; n < 8000; n += 1) book.charge(turn('a', 8000), 0);
  expect(book.coming(turn('b', 1))).toBe(1e12 + 1);
  expect(Math.abs(book.coming(turn('a', 8000)) - (1e12 + 1))).toBeLessThan(0.03);
});

it('a flow that is served is remembered no longer than until the next look', () => {
  const book = new FlowBook();
  for (let n = 0; n < 20_000; n += 1) {
    book.advance('g', book.charge({ form: 'flow', group: 'g', flow: `once ${n}`, weight: 1 }, n), n);
    if (n % 256 === 255) book.forget(0, 0, 256);
  }
  expect(book.size).toBeLessThan(256);
});
