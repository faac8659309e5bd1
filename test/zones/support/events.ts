import type { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { QueueEventMap, QueueEventName } from '../../../src/queue/types/events.ts';

/** The `nth` event of that name, from now on, that is meant. */
export function eventOf<N extends QueueEventName>(
  queue: QueueManager,
  name: N,
  isMeant: (event: QueueEventMap[N]) => boolean,
  nth = 1,
): Promise<QueueEventMap[N]> {
  let left = nth;
  return new Promise((resolve) => {
    const undo = queue.on(name, (event) => {
      if (!isMeant(event)) return;
      left -= 1;
      if (left > 0) return;
      undo();
      resolve(event);
    });
  });
}
