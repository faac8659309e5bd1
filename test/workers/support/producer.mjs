// A process that accepts and never sends: `node producer.mjs <order as JSON>`. What it says:
//   accepted <intent> <id> <call>     call: 0 if the first was accepted, else how many were refused before
//   refused <intent> <code>           may have been stored all the same, where the store did not answer
//   told <intent> <state> <intent in the answer>
//   done                              all accepted, and all who waited were told; it then ends by itself

import { openQueue, order, say, wait } from './openQueue.mjs';

const RETRY_MS = 50;

// Whoever started it is gone: nobody would hear what it says.
process.stdin.on('end', () => process.exit(1)).resume();
const queue = await openQueue({ dispatch: false });

let next = order.firstIntent;
/** Accepted, or about to be. */
let taken = 0;

/** Of every four: one without a lane, one in a lane of this producer, two in lanes of all producers, by name and by path. */
function requestOf(intent) {
  const n = intent % order.lanes;
  const at = Date.now();
  const things = `${order.origin}/things`;
  switch (intent % 4) {
    case 0:
      return [{ method: 'POST', url: things, body: { intent, lane: null, at } }, {}];
    case 1: {
      const lane = `${order.producer}-${n}`;
      return [{ method: 'POST', url: things, body: { intent, lane, at } }, { lane }];
    }
    case 2: {
      const lane = `all-${n}`;
      return [{ method: 'POST', url: things, body: { intent, lane, at } }, { lane }];
    }
    default: {
      const path = `/things/${n}`;
      return [{ method: 'PUT', url: `${order.origin}${path}`, body: { intent, lane: path, at } }, {}];
    }
  }
}

/** Every second intent names a key, and is called again until it is accepted; others are given up when refused. */
async function accept(intent) {
  const [request, options] = requestOf(intent);
  const isKeyed = intent % 8 < 4;
  const named = isKeyed ? { ...options, key: `intent-${intent}` } : options;
  for (let call = 0; ; call += 1) {
    try {
      const item = await queue.enqueue(request, named);
      say(`accepted ${intent} ${item.id} ${call}`);
      return item;
    } catch (error) {
      say(`refused ${intent} ${error.code}`);
      if (!isKeyed) return undefined;
      await wait(RETRY_MS);
    }
  }
}

/** One of several callers. Intents are taken and called in the same turn, so that call order is ascending. */
async function caller() {
  for (let turn = 1; taken < order.requests; turn += 1) {
    taken += 1;
    const intent = next++;
    const item = await accept(intent);
    if (item === undefined) {
      taken -= 1;
      await wait(RETRY_MS);
    } else if (turn % order.awaitEvery === 0) {
      const { state, response } = await item.settled();
      const answer = response === undefined ? {} : JSON.parse(Buffer.from(response.body).toString());
      say(`told ${intent} ${state} ${answer.intent}`);
    }
  }
}

await Promise.all(Array.from({ length: order.callers }, caller));
await queue.close();
say('done');
process.stdin.destroy();
