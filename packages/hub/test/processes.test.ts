import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { resolveFile } from '../src/index.ts';
import { noise, repo, sha256 } from './fake-hub.ts';
import { checkCache, emptyFolder, optionsFor, startHub } from './helpers.ts';

const weights = noise(20_000_000);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = join(root, 'node_modules/.cache/e3va-hub-tests');
const program = join(folder, `child-${process.pid}.mjs`);

beforeAll(() => {
  const entry = fileURLToPath(new URL('./downloading-child.ts', import.meta.url));
  execFileSync(join(root, 'node_modules/.bin/esbuild'), [
    entry,
    '--bundle',
    '--format=esm',
    '--platform=node',
    '--external:@huggingface/hub',
    '--external:@tensorflow/*',
    `--alias:@e3va/highway-grad=${join(root, 'packages/highway-grad/src/index.ts')}`,
    `--outfile=${program}`,
    '--log-level=error',
  ]);
  return () => execFileSync('rm', ['-f', program]);
});

interface Run {
  child: ChildProcess;
  /** Everything it has said. */
  said: () => string;
  /** Waits until it has said something that fits. */
  until: (pattern: RegExp) => Promise<void>;
  code: Promise<number | null>;
}

function start(endpoint: string, cacheDir: string, limit?: string): Run {
  const args = [program, endpoint, cacheDir, repo, 'model.safetensors'];
  const child = limit
    ? spawn('sh', ['-c', `${limit}; exec "$0" "$@"`, process.execPath, ...args])
    : spawn(process.execPath, args);
  let said = '';
  const collect = (data: Buffer) => {
    said += data;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return {
    child,
    said: () => said,
    until: async (pattern) => {
      while (!pattern.test(said)) await once(child.stdout, 'data');
    },
    code: once(child, 'close').then(([code]) => code as number | null),
  };
}

test('two processes that want the same file make one download, and both have it', async () => {
  const hub = await startHub({ 'model.safetensors': weights });
  hub.delay = 2;
  const cacheDir = emptyFolder();
  const runs = [start(hub.endpoint, cacheDir), start(hub.endpoint, cacheDir)];
  expect(await Promise.all(runs.map(({ code }) => code))).toEqual([0, 0]);
  expect(hub.downloads().map(({ range }) => range)).toEqual([undefined]);
  for (const { said } of runs) {
    const file = /^file (.+)$/m.exec(said())![1]!;
    expect(readFileSync(file).equals(weights)).toBe(true);
  }
  expect(checkCache(cacheDir)).toEqual([sha256(weights)]);
});

test('a process that is killed leaves what it has, and the next one resumes', async () => {
  const hub = await startHub({ 'model.safetensors': weights });
  hub.delay = 5;
  const options = optionsFor(hub);
  const killed = start(hub.endpoint, options.cacheDir);
  await killed.until(/received 5\d{6}/);
  killed.child.kill('SIGKILL');
  await killed.code;
  expect(existsSync(join(options.cacheDir, 'models--org--model/blobs', sha256(weights)))).toBe(false);
  hub.delay = 0;
  expect(
    readFileSync(await resolveFile({ repo, path: 'model.safetensors', ...options })).equals(weights),
  ).toBe(true);
  const [, range] = hub.downloads().map((seen) => seen.range);
  expect(Number(/^bytes=(\d+)-$/.exec(range!)![1])).toBeGreaterThan(5_000_000);
  expect(checkCache(options.cacheDir)).toEqual([sha256(weights)]);
});

test('a disk that is full while the file comes is an error that says so, and what is there is resumed', async () => {
  const hub = await startHub({ 'model.safetensors': weights });
  const options = optionsFor(hub);
  const full = start(hub.endpoint, options.cacheDir, 'ulimit -f 8000'); // blocks of 512 bytes in sh
  expect(await full.code).toBe(1);
  expect(full.said()).toContain('HubDiskError: no space is left');
  checkCache(options.cacheDir, [`${sha256(weights)}.e3va.incomplete`]);
  await resolveFile({ repo, path: 'model.safetensors', ...options });
  expect(hub.downloads()[1]!.range).toBe('bytes=4096000-');
  expect(checkCache(options.cacheDir)).toEqual([sha256(weights)]);
});
