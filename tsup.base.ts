import { defineConfig } from 'tsup';

/** The build every package shares: ESM and CJS with types, one file an entry, nothing of a dependency bundled. */
export const library = (entry: string[] = ['src/index.ts']) =>
  defineConfig({
    entry,
    format: ['esm', 'cjs'],
    // tsup sets baseUrl, which TypeScript 6 calls deprecated
    dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
    clean: true,
    shims: true,
    sourcemap: true,
    target: 'es2022',
    tsconfig: '../../tsconfig.build.json',
  });
