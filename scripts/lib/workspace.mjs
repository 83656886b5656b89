// What every script shares: where things are, which packages there are, and how to run a command.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Scratch space of the scripts: stamps and reports. Goes away with node_modules, as it should. */
export const scratch = join(root, 'node_modules', '.e3va');

/** The published packages, each after those it depends on: `{ name, dir, manifest, needs }`. */
export function packages() {
  const all = readdirSync(join(root, 'packages'))
    .map((folder) => join(root, 'packages', folder))
    .filter((dir) => existsSync(join(dir, 'package.json')))
    .map((dir) => ({ dir, manifest: JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) }));
  const byName = new Map(all.map((p) => [p.manifest.name, p]));
  const sorted = new Map();
  const visit = (name, path = []) => {
    if (path.includes(name))
      throw new Error(`packages depend on each other: ${[...path, name].join(' -> ')}`);
    if (sorted.has(name)) return;
    const { dir, manifest } = byName.get(name);
    const needs = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter((d) =>
      byName.has(d),
    );
    for (const need of needs) visit(need, [...path, name]);
    sorted.set(name, { name, dir, manifest, needs });
  };
  for (const name of byName.keys()) visit(name);
  return [...sorted.values()];
}

/**
 * Runs a command to its end: `{ code, output }`, output being stdout and stderr together.
 * `live: true` shows the output as it comes instead, and returns none.
 */
function run(command, args, { cwd = root, env = {}, live = false, timeout } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      timeout,
      stdio: live ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    });
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => resolve({ code: 1, output: `${command}: ${error.message}` }));
    child.on('close', (code, signal) => {
      const output = Buffer.concat(chunks).toString();
      resolve({ code: code ?? 1, output: signal ? `${output}\nended by ${signal}` : output });
    });
  });
}

/** Runs a file by this Node. */
export const runNode = (file, args = [], options = {}) => run(process.execPath, [file, ...args], options);

/** Runs the npm that started this script, or else the one on the path. */
export function runNpm(args, options) {
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('.js')) return runNode(npm, args, options);
  return process.platform === 'win32'
    ? run('cmd', ['/c', 'npm', ...args], options)
    : run('npm', args, options);
}

/** Runs the command of an installed development dependency, for example `tool('typescript', 'tsc')`. */
export function tool(dependency, bin, args = [], options = {}) {
  const dir = join(root, 'node_modules', dependency);
  const { bin: bins } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  return runNode(join(dir, typeof bins === 'string' ? bins : bins[bin]), args, options);
}

/** Calls `work` on every item, a few at a time; resolves to the results in the order of the items. */
export async function inParallel(items, work, width = Math.max(2, Math.floor(availableParallelism() / 2))) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}

/** `1.2 s` from the time that `performance.now()` gave at the start. */
export const since = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`;
