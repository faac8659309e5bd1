import type { Import } from './project.ts';

/** A part of `src`: which files it is, and what else it may refer to. */
export interface Layer {
  readonly name: string;
  readonly files: RegExp;
  /** Names of layers; its own files are always allowed. */
  readonly knows: readonly string[];
  /** Layers of which only types may be known: the values are handed in. */
  readonly knowsTypesOf?: readonly string[];
  /** Layers it may only load, with `import()`, besides knowing their types. */
  readonly loads?: readonly string[];
}

/** The first layer whose pattern matches a path is its layer. Type-only imports count. */
export const LAYERS: readonly Layer[] = [
  { name: 'types', files: /^src\/queue\/types\//, knows: ['errors'], knowsTypesOf: ['system'] },
  // Helpers of one function each that know nothing; also the version.
  {
    name: 'errors',
    files: /^src\/(errors|nearestName|suggestion|problemWords|closeOnSignals|version)\.ts$/,
    knows: [],
    knowsTypesOf: ['types'],
  },
  { name: 'system', files: /^src\/system\//, knows: [] },
  { name: 'strategies', files: /^src\/queue\/strategies\//, knows: ['types', 'errors'], knowsTypesOf: ['system'] },
  {
    name: 'composition',
    files: /^src\/(queue\/core\/composition|QuickSetup|queue\/QuickSetup)\.ts$/,
    knows: ['types', 'errors', 'system', 'strategies', 'core', 'monitoring'],
    loads: ['backends', 'client'],
  },
  { name: 'core', files: /^src\/queue\/core\//, knows: ['types', 'errors', 'system', 'strategies', 'composition'] },
  { name: 'backends', files: /^src\/queue\/backends\//, knows: ['types', 'errors'], knowsTypesOf: ['system'] },
  { name: 'monitoring', files: /^src\/queue\/monitoring\//, knows: ['types', 'errors'], knowsTypesOf: ['system'] },
  {
    name: 'autotask',
    files: /^src\/client\/autotask\//,
    knows: ['types', 'errors', 'system', 'strategies', 'core', 'client'],
  },
  { name: 'client', files: /^src\/client\//, knows: ['types', 'errors', 'system', 'strategies', 'core'] },
  { name: 'dashboard', files: /^src\/dashboard\//, knows: ['types', 'errors', 'system', 'core', 'monitoring'] },
  {
    name: 'testing',
    files: /^src\/testing\//,
    knows: ['types', 'errors', 'system', 'strategies', 'composition', 'core', 'client', 'backends', 'monitoring'],
  },
  {
    name: 'cli',
    files: /^src\/cli\//,
    knows: ['types', 'errors', 'system', 'composition', 'core', 'client', 'backends', 'monitoring', 'dashboard'],
  },
  {
    name: 'index',
    files: /^src\/index\.ts$/,
    knows: [
      'types',
      'errors',
      'system',
      'strategies',
      'composition',
      'core',
      'client',
      'autotask',
      'monitoring',
      'dashboard',
    ],
  },
];

/** The layer of a file of `src`. */
export function layerOf(path: string): Layer | undefined {
  return LAYERS.find((layer) => layer.files.test(path));
}

/** Why a file may not have this import, or undefined. */
export function objection(from: string, { kind, target }: Import): string | undefined {
  if (target === undefined) return undefined;
  const here = layerOf(from);
  const there = layerOf(target);
  if (here === undefined) return 'this file belongs to no layer';
  if (there === undefined) return `${target} belongs to no layer`;
  const backend = concreteBackend(target);
  if (backend !== undefined && backend !== concreteBackend(from)) {
    const mayLoad = ['composition', 'cli', 'testing'].includes(here.name);
    if (!mayLoad) return `${here.name} names the ${backend} backend`;
    if (kind === 'static' && here.name !== 'testing') return `the ${backend} backend is loaded eagerly; use import()`;
    return undefined;
  }
  if (here === there || here.knows.includes(there.name)) return undefined;
  if (here.knowsTypesOf?.includes(there.name) === true) {
    return kind === 'type' ? undefined : `${here.name} may know only types of ${there.name}`;
  }
  if (here.loads?.includes(there.name) === true) {
    return kind === 'static' ? `${here.name} may only load ${there.name}; use import()` : undefined;
  }
  return `${here.name} may not know ${there.name}`;
}

/** `sqlite` for a file in the folder of that backend. */
function concreteBackend(path: string): string | undefined {
  return /^src\/queue\/backends\/([^/]+)\//.exec(path)?.[1];
}
