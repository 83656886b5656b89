// Packs every package as npm would publish it, checks what is in the tarballs, and uses them in an empty project.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSnippets } from './examples.mjs';
import { snippets } from './snippets.mjs';
import { inParallel, packages, root, runNode, runNpm, tool } from './workspace.mjs';

/** The peers that a user installs beside the packages; of the versions of this repository. */
const peers = ['core', 'layers', 'data', 'backend-cpu', 'backend-wasm'].map((p) => `@tensorflow/tfjs-${p}`);

/** How large a tarball may be, in bytes: swin carries the weights of Swin-Nano. */
const budgets = {
  '@e3va/swin': 6_500_000,
  '@e3va/adapter-core': 450_000,
  '@e3va/datasets': 450_000,
  '@e3va/det-heads': 300_000,
  e3va: 500_000,
};
const budget = 250_000;

const folder = mkdtempSync(join(tmpdir(), 'e3va-tarballs-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

let packing;

/** Packs all packages once. Resolves to their `{ name, tarball, files, size }`. */
function pack() {
  packing ??= packAll();
  return packing;
}

async function packAll() {
  const all = packages();
  const args = all.flatMap((p) => ['--workspace', p.name]);
  const { code, output } = await runNpm([
    'pack',
    '--json',
    '--loglevel=error',
    '--pack-destination',
    folder,
    ...args,
  ]);
  if (code !== 0) throw new Error(`npm pack failed\n${output}`);
  const packed = JSON.parse(output.slice(output.indexOf('[')));
  return packed.map(({ name, filename, files, size }) => ({
    name,
    size,
    files: files.map((f) => f.path),
    tarball: join(folder, filename),
  }));
}

/** The step `packages` of the check: one check of the files and one of the types for each package. */
export async function checkTarballs() {
  const packed = await pack();
  const failures = (await inParallel(packed, checkTarball)).flat();
  const sizes = packed.map((p) => `${p.name} ${Math.ceil(p.size / 1000)} kB`).join(', ');
  return {
    passed: 2 * packed.length - failures.length,
    failed: failures.length,
    output: failures.join('\n'),
    note: sizes,
  };
}

async function checkTarball({ name, tarball, files, size }) {
  const missing = ['LICENSE', 'README.md', 'package.json'].filter((f) => !files.includes(f));
  const extra = files.filter((f) => f.includes('.test.') || f.includes('fixtures/'));
  const problems = [
    ...missing.map((f) => `no ${f} in the tarball`),
    ...extra.map((f) => `${f} does not belong in the tarball`),
  ];
  const limit = budgets[name] ?? budget;
  if (size > limit) problems.push(`the tarball has ${size} bytes, more than its budget of ${limit}`);
  const lint = await tool('publint', 'publint', ['run', tarball, '--strict']);
  if (lint.code !== 0) problems.push(lint.output);
  const types = await tool('@arethetypeswrong/cli', 'attw', [tarball, '--no-emoji', '--no-color']);
  return [
    ...(problems.length > 0 ? [`${name}: ${problems.join('\n')}`] : []),
    ...(types.code !== 0 ? [`${name}: types\n${types.output}`] : []),
  ];
}

/** The step `install` of the check. */
export async function installTarballs() {
  const packed = await pack();
  const project = join(folder, 'project');
  mkdirSync(project);
  const dependencies = Object.fromEntries(packed.map((p) => [p.name, `file:${p.tarball}`]));
  for (const peer of peers) dependencies[peer] = versionOf(peer);
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'empty', private: true, dependencies }),
  );
  // without install scripts: no package may need one
  const args = [
    'install',
    '--prefer-offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const { code, output } = await runNpm(args, { cwd: project });
  if (code !== 0) return { passed: 0, failed: 1, output: `the tarballs do not install\n${output}` };

  const readmes = snippets().filter((s) => s.runs && /^packages\/.*README\.md$/.test(s.file));
  const failures = [
    await loadAll(project, packed),
    await commandLine(project),
    ...(await runSnippets(readmes, project)),
  ];
  const failed = failures.filter(Boolean);
  return { passed: failures.length - failed.length, failed: failed.length, output: failed.join('\n') };
}

const versionOf = (name) =>
  JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;

/** Loads all packages in one ES module, then in one CommonJS module; '' if both see the same names. */
async function loadAll(project, packed) {
  const print = 'console.log(JSON.stringify(names));';
  const load = {
    'load.mjs': (name) => `await import('${name}')`,
    'load.cjs': (name) => `require('${name}')`,
  };
  const seen = [];
  for (const [file, expression] of Object.entries(load)) {
    const lines = packed.map(({ name }) => `names['${name}'] = Object.keys(${expression(name)}).sort();`);
    writeFileSync(join(project, file), ['const names = {};', ...lines, print].join('\n'));
    const { code, output } = await runNode(file, [], { cwd: project });
    if (code !== 0) return `the installed tarballs do not load from ${file}\n${output}`;
    seen.push(output);
  }
  return seen[0] === seen[1] ? '' : `ES modules and CommonJS export different names\n${seen.join('\n')}`;
}

/** `e3va --version` of the installed tarball prints its version. */
async function commandLine(project) {
  const { version } = packages().find((p) => p.name === 'e3va').manifest;
  const { code, output } = await runNpm(['exec', '--no', '--', 'e3va', '--version'], { cwd: project });
  return code === 0 && output.trim() === version
    ? ''
    : `npx e3va --version should print ${version}\n${output}`;
}
