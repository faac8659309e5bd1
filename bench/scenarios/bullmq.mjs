import { Queue, Worker } from 'bullmq';
import { closedLoop } from '../lib/loop.mjs';
import { ANSWER, BODY } from '../lib/payload.mjs';
import { withServerCost } from '../lib/serverCost.mjs';

const ANSWERED = JSON.parse(ANSWER);
/** As many as we keep by default. */
const KEPT = 100_000;

/**
 * add → process on BullMQ, with an answer of the size of ours. Its callers are told in this process by the worker, which costs
 * the server nothing; `concurrency` is of all workers together.
 */
export async function run({ redis, concurrency, workers = 1, loop }) {
  const removeOnComplete = { count: KEPT };
  const queue = new Queue('notes', { connection: redis, defaultJobOptions: { removeOnComplete } });
  const waiting = new Map();
  const completed = ({ id }) => {
    const resolve = waiting.get(id);
    waiting.delete(id);
    if (resolve === undefined)
      waiting.set(id, null); // before its `add` was answered
    else resolve();
  };
  const working = Array.from({ length: workers }, () =>
    new Worker('notes', async () => ANSWERED, { connection: redis, concurrency: concurrency / workers }).on(
      'completed',
      completed,
    ),
  );
  await Promise.all([queue, ...working].map((part) => part.waitUntilReady()));
  const call = async () => {
    const { id } = await queue.add('note', BODY);
    if (waiting.get(id) === null) waiting.delete(id);
    else await new Promise((resolve) => waiting.set(id, resolve));
  };
  const result = await withServerCost(redis, () => closedLoop({ ...loop, call }));
  await Promise.all(working.map((worker) => worker.close()));
  await queue.close();
  return result;
}
