import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

/** Prints what an import changed of the process; nothing when it left all as it was. */
const IMPORT_AND_COMPARE = `
const look = () => ({
  // zod keeps its registry on the global object, so that its copies share it; nothing of ours reads or changes it.
  globals: Reflect.ownKeys(globalThis)
    .map(String)
    .filter((name) => !['__zod_globalConfig', '__zod_globalRegistry'].includes(name)),
  listeners: process.eventNames().map(String),
  resources: process.getActiveResourcesInfo(),
});
const before = look();
const entries = [];
for (const entry of process.argv.slice(2)) entries.push(await import(entry));
const after = look();
for (const key of Object.keys(before)) {
  const added = after[key].filter((one) => !before[key].includes(one));
  if (added.length > 0) console.log(key, added);
}
if (entries.some((entry) => Object.keys(entry).length === 0)) console.log('an entry exports nothing');
`;

/** The same with a dispatcher and a fetch that the application chose before the import. */
const IMPORT_WITH_OWN_DISPATCHER = `
const key = Symbol.for('undici.globalDispatcher.1');
const dispatcher = { dispatch() { throw new Error('the dispatcher of the application'); } };
Object.defineProperty(globalThis, key, { value: dispatcher, writable: true, configurable: true });
const ownFetch = () => 'mine';
globalThis.fetch = ownFetch;
for (const entry of process.argv.slice(2)) await import(entry);
if (globalThis[key] !== dispatcher) console.log('the dispatcher changed');
if (globalThis.fetch !== ownFetch) console.log('fetch changed');
`;

/** Opens both durable stores: one has a thread in a file of its own, the other reads its script; nothing listens on port 1. */
const OPEN_STORES = `
import { QuickSetup } from 'holdfast';
const queue = await QuickSetup.sqlite('queue.db', { closeTimeoutMs: 0 });
const request = await queue.enqueue({ method: 'POST', url: 'http://127.0.0.1:1/' });
await queue.close();
const refused = await QuickSetup.redis({ port: 1 }).catch((error) => error);
console.log(typeof request.id, refused.code);
`;

describe.skipIf(!existsSync(`${ROOT}src/index.ts`))('the packed package', () => {
  let folder: string;
  let installed: string;
  let manifest: Manifest;

  /** A project that has the package and what a package manager would bring with it, and nothing else. */
  async function project(name: string, packages: readonly string[]): Promise<string> {
    const modules = join(folder, name, 'node_modules');
    await mkdir(modules, { recursive: true });
    for (const one of packages) {
      await mkdir(dirname(join(modules, one)), { recursive: true });
      await symlink(join(ROOT, 'node_modules', one), join(modules, one), 'dir');
    }
    await run('tar', ['-xzf', join(folder, 'package.tgz'), '-C', modules]);
    await run('mv', [join(modules, 'package'), join(modules, 'holdfast')]);
    await writeFile(join(folder, name, 'package.json'), '{ "type": "module" }\n');
    return join(folder, name);
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-package-'));
    const npm = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const { stdout } = await run('npm', npm, { cwd: ROOT });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    await run('mv', [join(folder, filename), join(folder, 'package.tgz')]);
    manifest = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8')) as Manifest;
    const runtime = [manifest.dependencies, manifest.optionalDependencies].flatMap(Object.keys);
    installed = await project('installed', runtime);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('has the files its exports name, its licence and nothing of the workshop', async () => {
    const root = join(installed, 'node_modules/holdfast');
    const files = await readdir(root, { recursive: true });
    const named = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : [entry.types, entry.default],
    );
    expect(files).toEqual(expect.arrayContaining(named.map((path) => path.replace('./', ''))));
    expect(files).toContain('LICENSE');
    expect(files).toContain('lib/lua/enqueue.lua');
    expect(files.filter((path) => /(^test|\.test\.|node_modules|tsbuildinfo|^bench|^scripts)/.test(path))).toEqual([]);
  });

  it.each([
    ['leaves no global, listener or open handle', IMPORT_AND_COMPARE],
    ['leaves the fetch and the dispatcher of the application alone', IMPORT_WITH_OWN_DISPATCHER],
  ])('when imported, %s', async (_, program) => {
    await writeFile(join(installed, 'program.js'), program);
    const before = await readdir(installed, { recursive: true });
    const { stdout, stderr } = await run(process.execPath, ['program.js', 'holdfast', 'holdfast/testing'], {
      cwd: installed,
      timeout: 15_000,
    });
    expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' });
    expect(await readdir(installed, { recursive: true })).toEqual(before);
  });

  it('finds what its stores have beside the modules', { timeout: 60_000 }, async () => {
    await writeFile(join(installed, 'stores.js'), OPEN_STORES);
    const { stdout } = await run(process.execPath, ['stores.js'], { cwd: installed, timeout: 50_000 });
    expect(stdout).toBe('string BACKEND_UNAVAILABLE\n');
  });

  it('is imported without its optional packages', async () => {
    const bare = await project('bare', Object.keys(manifest.dependencies));
    await writeFile(join(bare, 'program.js'), `await import('holdfast');\n`);
    const { stdout, stderr } = await run(process.execPath, ['program.js'], { cwd: bare, timeout: 15_000 });
    expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' });
  });

  it('brings every type that its declarations name', async () => {
    const typed = await project('typed', [...Object.keys(manifest.dependencies), '@types/node', 'undici-types']);
    await writeFile(
      join(typed, 'program.ts'),
      `import * as all from 'holdfast';\nexport const names = Object.keys(all);\n`,
    );
    const compilerOptions = { target: 'ES2023', module: 'NodeNext', strict: true, noEmit: true, types: ['node'] };
    await writeFile(join(typed, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const said = await run(process.execPath, [tsc, '-p', typed, '--pretty', 'false']).catch((error: unknown) => error);
    expect((said as { stdout: string }).stdout).toBe('');
  });
});
