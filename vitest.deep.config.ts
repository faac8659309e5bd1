import usual from './vitest.config.ts';
import { DEEP, DEEPER, DEEPER_BY } from './vitest.deep.ts';

const include = [...DEEP, ...DEEPER];

export default { ...usual, test: { ...usual.test, include, exclude: ['**/node_modules/**'], env: DEEPER_BY } };
