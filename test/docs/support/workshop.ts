import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PREAMBLE } from './preamble.ts';
import type { Snippet } from './snippets.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** How a program ended; `code` is null when it was stopped. */
export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program to its end, or stops it after a minute. */
export function run(folder: string, file: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd: folder, timeout: 60_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, output: stdout + stderr });
    });
  });
}

/** A temporary project in which every snippet is a module, with the built package and its tools installed. */
export class Workshop {
  readonly #folder: string;
  readonly #typeErrors: ReadonlyMap<string, string[]>;

  private constructor(folder: string, typeErrors: ReadonlyMap<string, string[]>) {
    this.#folder = folder;
    this.#typeErrors = typeErrors;
  }

  /** Writes and compiles all snippets at once: one start of the compiler instead of one each. */
  static async open(snippets: readonly Snippet[], origin: string): Promise<Workshop> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-docs-')));
    await installPackages(folder);
    await writeFile(join(folder, 'preamble.ts'), PREAMBLE);
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }\n');
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(COMPILER, null, 2));
    for (const [index, { language, code }] of snippets.entries()) {
      const text = code.replaceAll('https://api.example.com', origin);
      const path = join(folder, language === 'ts' ? '' : 'out', nameOf(index), `snippet.${language}`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `${text}\nexport {};\n`);
    }
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { output } = await run(folder, process.execPath, [tsc, '-p', folder, '--pretty', 'false']);
    return new Workshop(folder, byFolder(output));
  }

  /** What the compiler says of a snippet. */
  typeErrors(index: number): readonly string[] {
    return [...(this.#typeErrors.get(nameOf(index)) ?? []), ...(this.#typeErrors.get('') ?? [])];
  }

  /** Runs a snippet in a folder of its own. */
  async execute(index: number): Promise<Ended> {
    const folder = join(this.#folder, 'out', nameOf(index));
    return await run(folder, process.execPath, ['snippet.js']);
  }

  /** Only parses a snippet of JavaScript. */
  async parse(index: number): Promise<Ended> {
    return await run(join(this.#folder, 'out', nameOf(index)), process.execPath, ['--check', 'snippet.js']);
  }

  /** Removes everything. */
  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const COMPILER = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    skipLibCheck: true,
    rootDir: '.',
    outDir: 'out',
  },
  include: ['*/snippet.ts', 'preamble.ts'],
};

function nameOf(index: number): string {
  return `snippet${index}`;
}

/** Messages of the compiler by the folder of the snippet they are about; those about none under the empty name. */
function byFolder(output: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of output.split('\n')) {
    if (!/error TS\d+/.test(line)) continue;
    const folder = /^(snippet\d+)\//.exec(line)?.[1] ?? '';
    found.set(folder, [...(found.get(folder) ?? []), line]);
  }
  return found;
}

async function installPackages(folder: string): Promise<void> {
  const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Record<string, object>;
  const sections = ['dependencies', 'optionalDependencies', 'devDependencies'];
  const names = sections.flatMap((section) => Object.keys(manifest[section] ?? {}));
  for (const name of names) {
    const link = join(folder, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), link, 'dir');
  }
  await symlink(ROOT, join(folder, 'node_modules/holdfast'), 'dir');
}
