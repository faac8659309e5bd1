// Makes `lib` of `src`: what the exports of the package name, the thread of the SQLite store, and what these share. Node finds,
// compiles and links each module by itself, and for the hundreds of ours that takes several times as long as running them.
// All of it is in one folder, so that what is found beside a module (the thread, the Lua) is beside any of them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { replaceFile } from './replaceFile.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'lib');

/** @type {{ exports: Record<string, string | { types: string, default: string }> }} */
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** @type {Record<string, string>} */
const input = { worker: join(root, 'src/queue/backends/sqlite/worker.ts') };
for (const entry of Object.values(manifest.exports)) {
  if (typeof entry === 'string') continue;
  const name = entry.default.replace('./lib/', '').replace('.js', '');
  input[name] = join(root, entry.types.replace('./dist/', 'src/').replace('.d.ts', '.ts'));
}

/**
 * Asked as it is imported, and once more where it was found: a path of ours may begin with `C:` then.
 *
 * @type {(id: string, by: unknown, isFound: boolean) => boolean}
 */
const isPackage = (id, _, isFound) => !isFound && /^[^./]/.test(id);
const build = await rolldown({ cwd: root, input, platform: 'node', external: isPackage, tsconfig: false });
const { output } = await build.generate({
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: '[name].js',
  sourcemap: true,
  sourcemapExcludeSources: true, // `src` is in the package
});
await build.close();
for (const file of output)
  replaceFile(join(target, file.fileName), file.type === 'chunk' ? file.code : String(file.source));

const lua = join(root, 'src/queue/backends/redis/lua');
for (const name of readdirSync(lua)) replaceFile(join(target, 'lua', name), readFileSync(join(lua, name), 'utf8'));
