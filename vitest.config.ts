import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const src = (name: string) => fileURLToPath(new URL(`./packages/${name}/src/index.ts`, import.meta.url));
const packages = ['highway-grad', 'adapter-core', 'swin', 'det-heads', 'seg-heads', 'datasets', 'metrics'];

/** Tests run on the sources: packages resolve to their src/index.ts, no build is needed. */
export const alias = {
  ...Object.fromEntries(packages.map((p) => [`@e3va/${p}`, src(p)])),
  e3va: src('e3va'),
};

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
    exclude: ['**/*.slow.test.ts', '**/node_modules/**'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
