
import { it } from 'vitest';
import { at, world, record } from './harness.ts';
it('x', async () => {
    const test = await world({ readTtlMs: 30_000 });
    const ev = record(test.queue, 'request:retrying','request:settled','request:dispatched','zone:offline');
    test.network.online = false;
    const handle = test.queue.call({ method: 'GET', url: at('/me') });
    const settled = handle.settled();
    const { id } = await handle.accepted();
    await test.clock.advance(31_000);
    const r = await test.queue.get(id);
    console.log(JSON.stringify(ev), r?.state, r?.reason, r?.expiresAt! - test.clock.now(), JSON.stringify(r?.progress));
    await test.clock.advance(60_000);
    const r2 = await test.queue.get(id);
    console.log(r2?.state, r2?.reason, r2?.dueAt! - test.clock.now());
});
