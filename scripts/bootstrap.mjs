// Makes a clone ready to run: checks Node, installs what the lock file lists, builds what is missing or stale.
// Needs nothing but Node and npm, says nothing when there is nothing to do, and may be run twice at a time.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, stale } from './build.mjs';
import { root, runNpm, scratch, since } from './lib/workspace.mjs';

const lockFile = join(root, 'package-lock.json');
const installed = join(scratch, 'installed');
const busy = join(root, '.bootstrap.lock');

checkNode();
if (!isInstalled() || stale().length > 0) {
  const release = await takeTurn();
  try {
    if (!isInstalled()) await install();
    if (stale().length > 0) await buildStale();
  } catch (error) {
    console.error(`\n${error.message}`);
    process.exitCode = 1;
  } finally {
    release();
  }
}

/** The tools of the repository want what its package.json says under `engines`. */
function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if ((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22) return;
  console.error(
    `e3va needs Node 20.19 or later, or 22.12 or later; this is ${process.version} (${process.execPath}).\n` +
      'to do: install a current Node 20 or 22 from https://nodejs.org, or by nvm: nvm install 22',
  );
  process.exit(1);
}

/** node_modules holds what package-lock.json lists: by our own stamp, or by the later date of npm's. */
function isInstalled() {
  const hidden = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const lock = readFileSync(lockFile);
  if (existsSync(installed) && readFileSync(installed, 'utf8') === sha256(lock)) return true;
  return statSync(hidden).mtimeMs >= statSync(lockFile).mtimeMs;
}

async function install() {
  const start = performance.now();
  process.stdout.write('installing dependencies (npm ci) ... ');
  // ONNX Runtime's installer would fetch its parts for CUDA from outside the registry
  const env = { ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, output } = await runNpm(args, { env });
  if (code !== 0)
    throw new Error(
      `npm ci failed\n\n${output}\nto do: check the network and the registry, then run it again`,
    );
  mkdirSync(scratch, { recursive: true });
  writeFileSync(installed, sha256(readFileSync(lockFile)));
  console.log(since(start));
}

async function buildStale() {
  const start = performance.now();
  process.stdout.write('building the packages ... ');
  const built = await build();
  console.log(`${built.length} in ${since(start)}`);
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Waits until no other bootstrap of this clone works, then marks this one as working. Returns how to unmark it. */
async function takeTurn() {
  for (let waited = 0; ; waited++) {
    try {
      writeFileSync(busy, String(process.pid), { flag: 'wx' });
      return () => rmSync(busy, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned()) rmSync(busy, { force: true });
    else if (waited === 0) console.log('waiting for another bootstrap of this clone ...');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

/** The process that wrote the mark is gone, or has had a quarter of an hour. */
function isAbandoned() {
  try {
    if (Date.now() - statSync(busy).mtimeMs > 15 * 60_000) return true;
    process.kill(Number(readFileSync(busy, 'utf8')), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
