// Builds the packages whose dist is missing or no longer what their sources give; `--force` builds all.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packages, root, scratch, since, tool } from './lib/workspace.mjs';

const shared = [join(root, 'tsup.base.ts'), join(root, 'tsconfig.build.json')];

/** Every file that a package's dist is made from. */
function inputs({ dir }) {
  const sources = readdirSync(join(dir, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return [...shared, join(dir, 'package.json'), join(dir, 'tsup.config.ts'), ...sources.sort()];
}

/** A digest of what the dist is made from: its inputs, and the types of the packages it imports. */
function digest(pkg, byName) {
  const hash = createHash('sha256');
  const types = pkg.needs.map((need) => join(byName.get(need).dir, 'dist', 'index.d.ts'));
  for (const file of [...inputs(pkg), ...types]) {
    hash.update(file.slice(root.length)).update('\0');
    if (existsSync(file)) hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

const stampOf = (pkg) => join(scratch, `built-${basename(pkg.dir)}`);

function isFresh(pkg, byName) {
  const targets = ['import', 'require'].flatMap((kind) => Object.values(pkg.manifest.exports['.'][kind]));
  const bins = Object.values(pkg.manifest.bin ?? {});
  if (![...targets, ...bins].every((file) => existsSync(join(pkg.dir, file)))) return false;
  const stamp = stampOf(pkg);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest(pkg, byName);
}

/** The packages that have to be built, as far as can be told before any of them is. */
export function stale() {
  const all = packages();
  const byName = new Map(all.map((p) => [p.name, p]));
  return all.filter((pkg) => !isFresh(pkg, byName));
}

/** Builds what is stale, two or more packages at a time. Returns the names built; throws with the output of a failure. */
export async function build({ force = false } = {}) {
  mkdirSync(scratch, { recursive: true });
  const all = packages();
  const byName = new Map(all.map((p) => [p.name, p]));
  const built = [];
  const slots = slotsFor(Math.max(2, Math.floor(availableParallelism() / 2)));
  const running = new Map();
  for (const pkg of all) {
    running.set(pkg.name, buildOne(pkg));
  }
  async function buildOne(pkg) {
    await Promise.all(pkg.needs.map((need) => running.get(need)));
    if (!force && isFresh(pkg, byName)) return;
    await slots.run(async () => {
      const now = digest(pkg, byName);
      const { code, output } = await tool('tsup', 'tsup', [], { cwd: pkg.dir });
      if (code !== 0) throw new Error(`${pkg.name} does not build\n\n${output}`);
      copyFileSync(join(root, 'LICENSE'), join(pkg.dir, 'LICENSE'));
      writeFileSync(stampOf(pkg), now);
      built.push(pkg.name);
    });
  }
  const results = await Promise.allSettled(running.values());
  const failures = new Set(results.filter((r) => r.status === 'rejected').map((r) => r.reason.message));
  if (failures.size > 0) throw new Error([...failures].join('\n\n'));
  return built;
}

/** Lets at most `width` tasks run at a time. */
function slotsFor(width) {
  const waiting = [];
  let free = width;
  return {
    async run(task) {
      if (free === 0) await new Promise((resolve) => waiting.push(resolve));
      else free--;
      try {
        return await task();
      } finally {
        if (waiting.length > 0) waiting.shift()();
        else free++;
      }
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const start = performance.now();
  try {
    const built = await build({ force: process.argv.includes('--force') });
    console.log(
      built.length > 0 ? `built ${built.join(', ')} in ${since(start)}` : 'every package is up to date',
    );
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
