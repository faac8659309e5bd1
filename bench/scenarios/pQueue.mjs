import PQueue from 'p-queue';
import { closedLoop } from '../lib/loop.mjs';
import { instantTransport } from '../lib/transport.mjs';

/** The same do-nothing call on a bare p-queue, with as many at once as a zone of ours allows. */
export function run({ loop }) {
  const queue = new PQueue({ concurrency: 10 });
  const transport = instantTransport();
  return closedLoop({ ...loop, call: () => queue.add(() => transport.send()) });
}
