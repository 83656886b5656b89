import { defineConfig } from 'vitest/config';
import { alias } from './vitest.config.ts';

export default defineConfig({
  resolve: { alias },
  test: {
    setupFiles: ['tests/support/same-random-numbers.ts'],
    include: [
      'packages/*/src/**/*.slow.test.ts',
      'packages/*/test/**/*.slow.test.ts',
      'tests/**/*.slow.test.ts',
    ],
    testTimeout: 1_200_000,
    hookTimeout: 300_000,
    maxWorkers: 1,
  },
});
