import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSafetensors } from '@e3va/adapter-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkpoint, dict, legacyCheckpoint, tensor } from './support/pickle-writer.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const megabyte = 1e6;
const [count, each] = [20, 2_500_000]; // 20 tensors of 10 MB
let folder: string;
let program: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'e3va-memory-'));
  program = join(folder, 'read-all.cjs');
  const sources = ['adapter-core', 'highway-grad'].map(
    (name) => `--alias:@e3va/${name}=${root}packages/${name}/src/index.ts`,
  );
  const entry = fileURLToPath(new URL('support/read-all.ts', import.meta.url));
  const options = [
    '--bundle',
    '--format=cjs',
    '--platform=node',
    '--external:h5wasm',
    `--outfile=${program}`,
  ];
  execFileSync(join(root, 'node_modules/.bin/esbuild'), [entry, ...options, '--log-level=error', ...sources]);
});

afterAll(() => rmSync(folder, { recursive: true }));

const numbers = Float32Array.from({ length: each }, (_, i) => i % 1000);
const names = Array.from({ length: count }, (_, i) => String(i));
const tensors = () => dict(Object.fromEntries(names.map((key) => [`t${key}`, tensor({ key, count: each })])));
const storages = () => Object.fromEntries(names.map((key) => [key, numbers]));

it.each<[string, () => Uint8Array]>([
  [
    'safetensors',
    () => encodeSafetensors(Object.fromEntries(names.map((key) => [key, { shape: [each], data: numbers }]))),
  ],
  ['pth', () => checkpoint(tensors(), storages())],
  ['legacy.pth', () => legacyCheckpoint(tensors(), storages())],
])('200 MB of %s need the memory of a few tensors', (ending, make) => {
  const path = join(folder, `model.${ending}`);
  writeFileSync(path, make());
  const said = execFileSync(process.execPath, ['--expose-gc', program, path], { encoding: 'utf8' });
  const { numbers: read, growth } = JSON.parse(said) as { numbers: number; growth: number };
  console.log(`${ending}: memory grew by ${Math.round(growth / megabyte)} MB`);
  expect(read).toBe(count * each);
  expect(growth).toBeLessThan(3 * 4 * each + 30 * megabyte);
  rmSync(path);
});
