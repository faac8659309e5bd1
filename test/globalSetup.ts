import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { findRedis, missingRedis } from './redis/support/findRedis.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export default function prepare(): void {
  requireRedis();
  requireSqlite();
  buildPackage();
  for (const script of ['scripts/copy-lua.mjs', 'scripts/join-modules.mjs']) {
    execFileSync(process.execPath, [script], { cwd: ROOT, stdio: 'inherit' });
  }
}

/** Says loudly what of Redis will not be tested. Throws instead with `CI` set: there, leaving it out is a failure. */
function requireRedis(): void {
  const missing = missingRedis(findRedis());
  if (missing === undefined) return;
  const { CI = '' } = process.env;
  if (CI !== '' && CI !== 'false') throw new Error(`${missing}; in CI that fails the run`);
  process.stderr.write(`\n!!! ${missing}\n\n`);
}

/** The driver is an optional dependency: where it cannot be built, `npm ci` leaves it out in silence, and hundreds of tests fail. */
function requireSqlite(): void {
  try {
    const Database = createRequire(import.meta.url)('better-sqlite3') as new (path: string) => { close(): void };
    new Database(':memory:').close();
  } catch (cause) {
    throw new Error('better-sqlite3 was not built: `npm rebuild better-sqlite3` says why', { cause });
  }
}

/**
 * Brings `dist` up to date before any test: child processes cannot load TypeScript on every supported Node. The build is
 * incremental, about half a second when nothing changed. Type errors are counted and do not stop the tests (`npm run check`
 * fails on them); what the compiler wrote is what runs.
 */
function buildPackage(): void {
  try {
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    if (stdout === undefined || stdout === '') throw error;
    const count = stdout.split('\n').filter((line) => line.includes('error TS')).length;
    process.stderr.write(`dist was built with ${count} type errors; \`npx tsc\` lists them\n`);
  }
}
