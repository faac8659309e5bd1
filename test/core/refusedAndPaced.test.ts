import { expect, it } from 'vitest';
import { refuse } from '../../src/testing/serverSteps.ts';
import { arrivals, at, world } from './harness.ts';

const post = (body: string) => ({ method: 'POST', url: at('/notes'), body });

it('a call that is not accepted is logged, though nobody asks for it', async () => {
  const lines: string[] = [];
  const none = (): void => undefined;
  const info = (message: string, fields?: object): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const test = await world({ maxSize: 1, logger: { debug: none, info, warn: none, error: none } });
  test.queue.pause();
  await test.queue.enqueue(post('1'));
  test.queue.call(post('2'));
  test.queue.call({ ...post('3'), method: 'NO METHOD' });
  await test.clock.settle();
  expect(lines).toEqual([
    expect.stringMatching(/^a call was not accepted .*REQUEST_INVALID/),
    expect.stringMatching(/^a call was not accepted .*QUEUE_FULL/),
  ]);
});

it('a zone resumed by name goes on where the server asked it to wait', async () => {
  const test = await world({ zones: { api: { origins: [at('')] } } });
  test.server.script.next(refuse({ status: 429, headers: [['retry-after', '86400']] }));
  await test.queue.enqueue(post('1'));
  await test.clock.settle();
  const { id } = await test.queue.enqueue(post('2'));
  await test.clock.advance(60_000);
  expect(await test.queue.explain(id)).toMatchObject({ waitsFor: [{ what: 'zonePace' }] });
  test.queue.resume('api');
  await test.clock.settle();
  expect(arrivals(test.server)).toEqual(['POST /notes 1', 'POST /notes 2']);
});
