// Everything that can be said about the project without running its tests. `npm run check` must pass before a commit.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @type {readonly (readonly [name: string, tool: string, ...args: string[]])[]} */
const STEPS = [
  ['format and lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['types', 'tsc'],
  ['build', 'npm', 'run', '--silent', 'build'],
  ['architecture', 'vitest', 'run', 'test/architecture'],
  ['package', 'publint', '--strict'],
  ['types of the package', 'attw', '--pack', '.', '--profile', 'esm-only'],
];

/** Steps that look at the built package: there is none before there is a public API. */
const NEEDS_PACKAGE = ['package', 'types of the package'];

const failed = [];
for (const [name, tool, ...args] of STEPS) {
  if (NEEDS_PACKAGE.includes(name) && !existsSync(`${root}src/index.ts`)) {
    console.log(`── ${name}: skipped, src/index.ts does not exist yet`);
    continue;
  }
  console.log(`── ${name}`);
  const started = Date.now();
  const file = tool === 'npm' ? tool : `${root}node_modules/.bin/${tool}`;
  const { status, error } = spawnSync(file, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) console.error(error.message);
  if (status !== 0) failed.push(name);
  console.log(`── ${name}: ${status === 0 ? 'passed' : 'FAILED'} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

if (failed.length > 0) {
  console.error(`check failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
