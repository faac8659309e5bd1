import usual from './vitest.config.ts';
import { DEEP } from './vitest.deep.ts';

export default { ...usual, test: { ...usual.test, include: DEEP, exclude: ['**/node_modules/**'] } };
