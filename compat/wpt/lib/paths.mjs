import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const HERE = fileURLToPath(new URL('..', import.meta.url));
export const CACHE = join(HERE, '.cache');
export const TESTS = process.env.WPT_DIR ?? join(CACHE, 'tests');
/** Says which source the cached tests came from. */
export const MARK = join(CACHE, 'source.json');
/** The built package. Another folder can be named, such as a copy that does not change while the tests run. */
export const HOLDFAST = pathToFileURL(
  join(resolve(process.env.HOLDFAST_DIST ?? join(HERE, '../../dist')), 'index.js'),
).href;
