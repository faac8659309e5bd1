import { percentiles } from './statistics.mjs';

/**
 * Closed loop: so many callers, each of which starts its next call when its last has ended. The clock is read by the callers
 * and not by a timer, since a peer that only ever queues microtasks would starve one.
 *
 * @param {{ callers: number, warmUpMs: number, measureMs: number, call: () => Promise<unknown> }} options
 * @returns calls per second and the latency of one, in ms; `calls` are those measured, `made` those of the warm-up and the end too
 */
export async function closedLoop({ callers, warmUpMs, measureMs, call }) {
  const begin = performance.now() + warmUpMs;
  const end = begin + measureMs;
  const latencies = [];
  let made = 0;
  const caller = async () => {
    let started = performance.now();
    while (started < end) {
      await call();
      made += 1;
      const now = performance.now();
      if (now >= begin) {
        cpu ??= process.cpuUsage();
        if (now < end) latencies.push(now - started);
      }
      started = now;
    }
  };
  let cpu;
  await Promise.all(Array.from({ length: callers }, caller));
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: (latencies.length / measureMs) * 1000,
    calls: latencies.length,
    made,
    ...percentiles(latencies),
    cpuUsPerCall: round((user + system) / latencies.length),
  };
}

/**
 * Open loop: a call starts at each tick of the rate, whether earlier ones have ended or not.
 *
 * @param {{ perSecond: number, durationMs: number, call: () => Promise<unknown> }} options
 */
export async function openLoop({ perSecond, durationMs, call }) {
  const begin = performance.now();
  const total = Math.floor((perSecond * durationMs) / 1000);
  const latencies = [];
  const underway = new Set();
  let started = 0;
  await new Promise((resolve) => {
    const tick = () => {
      const due = Math.min(total, Math.floor(((performance.now() - begin) * perSecond) / 1000));
      for (; started < due; started += 1) {
        const at = performance.now();
        const done = call().then(() => {
          latencies.push(performance.now() - at);
          underway.delete(done);
        });
        underway.add(done);
      }
      if (started < total) return;
      clearInterval(timer);
      resolve();
    };
    const timer = setInterval(tick, 1);
  });
  await Promise.all(underway);
  const tookMs = performance.now() - begin;
  return { perSecond: (total / tookMs) * 1000, calls: total, ...percentiles(latencies) };
}

function round(value) {
  return Math.round(value * 10) / 10;
}
