// Where the time of one scenario goes: node profile.mjs <scenario> '<options as JSON>' prints the self time of each thread.
// A scenario of Redis has a server of its own: '{"kind":"redis"}', or `bullmq`.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inFolder } from './lib/folder.mjs';
import { PLAIN, withRedis } from './lib/redis.mjs';
import { runFresh, serve } from './lib/spawn.mjs';

const ROWS = 32;
const [scenario = 'lifecycle', options = '{"kind":"sqlite"}'] = process.argv.slice(2);
const loop = { callers: 100, warmUpMs: 1000, measureMs: 4000 };

/** Self time in ms by function, and what was idle. */
function readProfile(file) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const self = new Map();
  let idleMs = 0;
  let totalMs = 0;
  samples.forEach((id, index) => {
    const ms = timeDeltas[index] / 1000;
    const { functionName, url, lineNumber } = byId.get(id).callFrame;
    totalMs += ms;
    if (functionName === '(idle)') idleMs += ms;
    else {
      const place = url === '' ? '' : `${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`;
      const name = `${functionName || '(anonymous)'} ${place}`;
      self.set(name, (self.get(name) ?? 0) + ms);
    }
  });
  return { self, idleMs, totalMs };
}

async function onServer(work) {
  const server = await serve('server');
  const result = await work({ origin: server.origin });
  await server.stop();
  return result;
}

await inFolder(async (folder) => {
  const given = JSON.parse(options);
  const execArgv = ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=200'];
  const profiled = (server) => runFresh(scenario, { loop, ...server, ...given }, { execArgv });
  const isRedis = scenario === 'bullmq' || given.kind === 'redis';
  const result = isRedis ? await withRedis(PLAIN, (redis) => profiled({ redis })) : await onServer(profiled);
  console.log(`${scenario} ${options}: ${Math.round(result.perSecond)} /s, ${result.cpuUsPerCall} µs CPU a call`);
  if (isRedis) {
    const { serverUsPerCall, commandsPerCall } = result;
    console.log(`the server: ${serverUsPerCall.toFixed(1)} µs CPU and ${commandsPerCall.toFixed(1)} commands a call`);
  }
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))) {
    const { self, idleMs, totalMs } = readProfile(join(folder, file));
    const busy = totalMs - idleMs;
    console.log(`\n${file}: ${Math.round(busy)} ms busy of ${Math.round(totalMs)}`);
    const top = [...self].sort((a, b) => b[1] - a[1]).slice(0, ROWS);
    for (const [name, ms] of top) console.log(`${((ms / busy) * 100).toFixed(1).padStart(6)} %  ${name}`);
    const files = new Map();
    for (const [name, ms] of self) {
      const place = name.slice(name.lastIndexOf(' ') + 1).replace(/:\d+$/, '');
      const file = place === '' ? name : place;
      files.set(file, (files.get(file) ?? 0) + ms);
    }
    console.log('  by file:');
    const heavy = [...files].sort((a, b) => b[1] - a[1]).slice(0, ROWS);
    for (const [name, ms] of heavy) console.log(`${((ms / busy) * 100).toFixed(1).padStart(6)} %  ${name}`);
  }
});
