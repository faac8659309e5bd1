import { defineConfig, mergeConfig } from 'vitest/config';
import usual from './vitest.config.ts';
import { DEEP } from './vitest.deep.ts';

const merged = mergeConfig(usual, defineConfig({}));

export default { ...merged, test: { ...merged.test, include: DEEP, exclude: ['**/node_modules/**'] } };
