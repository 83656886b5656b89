// What `npm test` runs once the bootstrap is done: every gate, one after the other, stopping at the first that fails.
//   npm test                  every step below but `slow`
//   npm test -- types tests   only the named steps
//   npm run test:slow         the step `slow`
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runExamples } from './lib/examples.mjs';
import { checkTarballs, installTarballs } from './lib/tarballs.mjs';
import { root, runNode, scratch, since, tool } from './lib/workspace.mjs';

/** The steps: what each is for, and its work, which resolves to `{ passed, failed, output?, note? }`. */
const steps = {
  lint: {
    title: 'formatting and lint (Biome)',
    work: () => counted(tool('@biomejs/biome', 'biome', ['check', '--error-on-warnings', '.'])),
  },
  types: {
    title: 'types (tsc)',
    work: () => counted(tool('typescript', 'tsc', ['--noEmit', '-p', 'tsconfig.json'])),
  },
  unused: {
    title: 'no unused file, export or dependency (knip)',
    work: () => counted(tool('knip', 'knip', ['--no-config-hints'])),
  },
  tests: {
    title: 'tests (Vitest)',
    work: () => vitest('vitest.config.ts'),
  },
  reference: {
    title: 'the reference builds, every export is documented (TypeDoc)',
    work: () => counted(tool('typedoc', 'typedoc', ['--logLevel', 'Warn'])),
  },
  tables: {
    title: 'README.md shows the newest generated tables',
    work: () => counted(runNode(join(root, 'scripts', 'readme.mjs'), ['--check'])),
  },
  examples: {
    title: 'the examples of the documentation type-check and run',
    work: runExamples,
  },
  packages: {
    title: 'packed files and types (publint, are-the-types-wrong)',
    work: checkTarballs,
  },
  install: {
    title: 'the tarballs in an empty project: ESM, CommonJS, command line, README examples',
    work: installTarballs,
  },
  slow: {
    title: 'slow tests (Vitest)',
    work: () => vitest('vitest.slow.config.ts', ['--passWithNoTests']),
  },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in steps));
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(', ')}\nexpected: ${Object.keys(steps).join(', ')}`);
  process.exit(1);
}
const names = wanted.length > 0 ? wanted : Object.keys(steps).filter((name) => name !== 'slow');

const total = { passed: 0, failed: 0 };
const start = performance.now();
for (const [index, name] of names.entries()) {
  const label = `[${index + 1}/${names.length}] ${name}`;
  console.log(`${label}: ${steps[name].title}`);
  const began = performance.now();
  const { passed, failed, output = '', note } = await steps[name].work();
  total.passed += passed;
  total.failed += failed;
  if (failed > 0) {
    const alone = name === 'slow' ? 'npm run test:slow' : `npm test -- ${name}`;
    console.log(`${output}\n${label} FAILED after ${since(began)}; this step alone: ${alone}`);
    break;
  }
  console.log(`      ok, ${passed} in ${since(began)}${note ? `; ${note}` : ''}`);
}
console.log(`\nin ${since(start)}:\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;

/** A command that counts as one check. */
async function counted(running) {
  const { code, output } = await running;
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1, output };
}

/** A Vitest run, shown as it goes; counts its tests. */
async function vitest(config, args = []) {
  const report = join(scratch, `${config}.json`);
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const options = ['run', '--config', join(root, config), ...reporters, ...args];
  const { code } = await tool('vitest', 'vitest', options, { live: true });
  if (!existsSync(report)) return { passed: 0, failed: code === 0 ? 0 : 1 };
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
  return {
    passed: numPassedTests,
    failed: code === 0 ? 0 : Math.max(1, numFailedTests),
    note: numPendingTests > 0 ? `${numPendingTests} SKIPPED (their warnings say why)` : undefined,
  };
}
