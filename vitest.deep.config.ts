import { defineConfig } from 'vitest/config';
import { EACH } from './vitest.config.ts';
import { DEEP, DEEPER, DEEPER_BY } from './vitest.deep.ts';

export default defineConfig({
  test: { ...EACH, globalSetup: ['test/globalSetup.ts'], include: [...DEEP, ...DEEPER], env: DEEPER_BY },
});
