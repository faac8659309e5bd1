import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inFolder } from './folder.mjs';
import { median } from './statistics.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What figures need beside them to mean anything. */
export async function describeMachine() {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    packages: versions(),
    commit: git('rev-parse', '--short', 'HEAD'),
    changed: git('status', '--porcelain', '--', 'src') !== '',
    syncMs: await syncCost(),
    load: currentLoad(),
  };
}

/** Processes that wanted to run, averaged over the last minute. */
export function currentLoad() {
  return Math.round((loadavg()[0] ?? 0) * 10) / 10;
}

/** Of the packages measured, as installed. better-sqlite3 is the root's: both sides use one build of it. */
function versions() {
  const require = createRequire(import.meta.url);
  const { dependencies } = require('../package.json');
  return Object.fromEntries(
    [...Object.keys(dependencies), 'better-sqlite3'].map((name) => [name, versionOf(require.resolve(name), name)]),
  );
}

/** Not every package exports its manifest. */
function versionOf(entry, name) {
  const folder = entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length);
  return JSON.parse(readFileSync(`${folder}package.json`, 'utf8')).version;
}

function git(...args) {
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

/** Median of a 4 KiB append with fdatasync, in the folder where the databases will be: what a commit costs at least. */
function syncCost() {
  return inFolder((folder) => {
    const file = openSync(join(folder, 'sync'), 'w');
    const page = Buffer.alloc(4096);
    const tookMs = Array.from({ length: 200 }, () => {
      const started = performance.now();
      writeSync(file, page);
      fdatasyncSync(file);
      return performance.now() - started;
    });
    closeSync(file);
    return Math.round(median(tookMs) * 1000) / 1000;
  });
}
