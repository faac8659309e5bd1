import { runFresh, serve } from './lib/spawn.mjs';
const loop = { callers: 100, warmUpMs: 1000, measureMs: 2500 };
const s = await serve('server');
const o = { origin: s.origin, loop };
const N = Number(process.argv[2] ?? 1);
for (let i = 0; i < N; i++)
for (const [n, opt] of [['apiClient', o], ['apiClient', { ...o, concurrency: 100 }], ['undiciPool', o], ['fetch', o],
 ['lifecycle', { kind: 'sqlite', loop }], ['plainjob', { synchronous: 'FULL', loop }], ['lifecycle', { kind: 'sqlite', durability: 'normal', loop }], ['plainjob', { synchronous: 'NORMAL', loop }],
 ['lifecycle', { kind: 'memory', loop }], ['pQueue', { loop }]]) {
  const r = await runFresh(n, opt);
  console.log(n, JSON.stringify({ ...opt, loop: undefined, origin: undefined }), Object.entries(r).map(([k, v]) => `${k}=${typeof v === 'number' ? v.toFixed(1) : v}`).join(' '));
}
await s.stop();
