import { pathToFileURL } from 'node:url';

/** The build that is measured: `dist` of this checkout, or the folder that HOLDFAST_DIST names, to compare two of them. */
const DIST =
  process.env.HOLDFAST_DIST === undefined
    ? new URL('../../dist/', import.meta.url)
    : pathToFileURL(`${process.env.HOLDFAST_DIST}/`);

/** Loads one module of the build. Rows below the public API (a claim, the store alone) name theirs. */
export function load(path = 'index.js') {
  return import(new URL(path, DIST).href);
}
