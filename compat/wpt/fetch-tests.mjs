/**
 * Downloads the web platform tests into .cache/tests: they are taken from the source tarball of a browser that carries them,
 * whose hash is pinned. Needs `tar` and `xz`.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CACHE, MARK, TESTS } from './lib/paths.mjs';

const SOURCE = {
  url: 'https://deb.debian.org/debian/pool/main/f/firefox-esr/firefox-esr_140.12.0esr.orig.tar.xz',
  sha256: '5c72347381233dcc97cbd02c0324116258769d8b9b0f869fd0c6f1d59519ce2a',
};
const INSIDE = 'testing/web-platform/tests';
const WANTED = [
  'LICENSE.md',
  'common/*',
  'fetch/*',
  'resources/*',
  'xhr/resources/*',
  ...['dom', 'fetch', 'html', 'referrer-policy'].map((name) => `interfaces/${name}.idl`),
];

if (await isThere()) {
  console.log(`the tests are in ${TESTS}`);
} else {
  const tarball = join(CACHE, 'source.tar.xz');
  await mkdir(CACHE, { recursive: true });
  if ((await hashOf(tarball)) !== SOURCE.sha256) await download(tarball);
  const sha256 = await hashOf(tarball);
  if (sha256 !== SOURCE.sha256) throw new Error(`${SOURCE.url} has the SHA-256 ${sha256}, not ${SOURCE.sha256}`);
  await extract(tarball);
  await writeFile(MARK, `${JSON.stringify(SOURCE, null, 2)}\n`);
  await rm(tarball);
  console.log(`the tests are in ${TESTS}`);
}

async function isThere() {
  const mark = await readFile(MARK, 'utf8').catch(() => '{}');
  return JSON.parse(mark).sha256 === SOURCE.sha256;
}

async function hashOf(path) {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
  return hash.digest('hex');
}

async function download(path) {
  console.log(`downloading ${SOURCE.url}`);
  const response = await fetch(SOURCE.url);
  if (!response.ok) throw new Error(`${SOURCE.url} answered ${response.status}`);
  const total = Number(response.headers.get('content-length'));
  console.log(`${Math.round(total / 2 ** 20)} MiB, of which some 20 MiB are kept`);
  await pipeline(Readable.fromWeb(response.body), createWriteStream(path));
}

async function extract(path) {
  console.log('extracting');
  const folder = join(CACHE, 'extracting');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const patterns = WANTED.map((name) => `*/${INSIDE}/${name}`);
  await run('tar', ['-xJf', path, '-C', folder, '--strip-components=1', '--wildcards', ...patterns]);
  await rm(TESTS, { recursive: true, force: true });
  await rename(join(folder, INSIDE), TESTS);
  await rm(folder, { recursive: true });
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`))));
  });
}
