import { readdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { TESTS } from './paths.mjs';
import { readTest } from './server/files.mjs';

const FOLDERS = [
  'api',
  'content-encoding',
  'content-length',
  'content-type',
  'data-urls',
  'http-cache',
  'range',
  'security',
].map((name) => `fetch/${name}`);

/** Over HTTP/2, which Node's fetch does not speak by itself. */
const LEFT_OUT = /\.h2\.any\.js$/;

/** @returns {Promise<string[]>} paths such as `/fetch/api/abort/general.any.js` */
export async function testFiles(filter = '') {
  const found = [];
  for (const folder of FOLDERS) {
    for (const entry of await readdir(join(TESTS, folder), { recursive: true })) {
      if (entry.endsWith('.any.js') && !LEFT_OUT.test(entry)) found.push(`/${folder}/${entry.replaceAll('\\', '/')}`);
    }
  }
  return found.filter((path) => path.includes(filter)).sort();
}

/**
 * What runs one test file: its scripts in order, the harness first, and the addresses its page would have.
 *
 * @param {string} path
 */
export async function loadTest(path, { origin, variables }) {
  const source = await textOf(path, variables);
  const meta = [...source.matchAll(/^\/\/ META: (\w+)=(.*)$/gm)].map(([, key, value]) => ({
    key,
    value: value.trim(),
  }));
  const named = meta.filter(({ key }) => key === 'script').map(({ value }) => resolve(path, value));
  const paths = ['/resources/testharness.js', ...named];
  const scripts = await Promise.all(paths.map(async (name) => ({ name, source: await textOf(name, variables) })));
  const variants = meta.filter(({ key }) => key === 'variant').map(({ value }) => value);
  const page = origin + path.replace(/\.js$/, '.html');
  return {
    path,
    pages: (variants.length > 0 ? variants : ['']).map((variant) => page + variant),
    long: meta.some(({ key, value }) => key === 'timeout' && value === 'long'),
    scripts: [...scripts, { name: path, source }],
  };
}

function resolve(path, script) {
  // The parser of interface definitions is served from where it is kept.
  if (script === '/resources/WebIDLParser.js') return '/resources/webidl2/lib/webidl2.js';
  return script.startsWith('/') ? script : posix.join(dirname(path), script);
}

async function textOf(path, variables) {
  const bytes = await readTest(path, variables);
  if (bytes === undefined) throw new Error(`${path} is not among the tests`);
  return bytes.toString();
}
