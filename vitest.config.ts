import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const packages = fileURLToPath(new URL('./packages', import.meta.url));

/** Tests run on the sources: packages resolve to their src/index.ts, no build is needed. */
export const alias = [
  { find: /^@e3va\/([a-z-]+)$/, replacement: `${packages}/$1/src/index.ts` },
  { find: /^e3va$/, replacement: `${packages}/e3va/src/index.ts` },
];

export default defineConfig({
  resolve: { alias },
  test: {
    setupFiles: ['tests/support/same-random-numbers.ts'],
    include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
    exclude: ['**/*.slow.test.ts', '**/node_modules/**'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
