import { vi } from 'vitest';

/**
 * Every start of a queue compiles its hash anew, on another thread: with thousands of starts that is what a run would mostly wait for. The hash has no
 * memory of its own, so one serves all.
 */
vi.mock(import('xxhash-wasm'), async (original) => {
  const { default: load } = await original();
  const loaded = load();
  return { default: () => loaded };
});
