import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openModel, resolveFile } from '../src/index.ts';
import { noise, repo } from './fake-hub.ts';
import { emptyFolder, filesBelow, optionsFor, startHub } from './helpers.ts';

const python = process.env.E3VA_PYTHON ?? 'python3';
const run = promisify(execFile);

/** Runs lines of Python with huggingface_hub at a cache, and returns what they print. */
async function inPython(lines: string[], env: Record<string, string>): Promise<string> {
  const code = ['import os, sys', 'from huggingface_hub import *', ...lines].join('\n');
  const inherited = { PATH: process.env.PATH, HOME: emptyFolder() };
  const options = { env: { ...inherited, HF_HUB_DISABLE_PROGRESS_BARS: '1', ...env } };
  return (await run(python, ['-c', code], options)).stdout.trim();
}

const version = await inPython(['import huggingface_hub', 'print(huggingface_hub.__version__)'], {}).catch(
  () => '',
);
if (version === '')
  console.warn(`SKIPPED: ${python} has no huggingface_hub; name one that has by E3VA_PYTHON`);

const weights = noise(3_000_000);
const files = { 'config.json': '{"a":1}', 'model.safetensors': weights, 'sub/notes.txt': 'hello' };
const get = (path: string, rest = '') => `hf_hub_download('${repo}', '${path}'${rest})`;

describe.skipIf(version === '')('one cache for this package and Python', () => {
  test('Python finds what this package downloaded, and its tools know the cache', async () => {
    const hub = await startHub(files);
    const options = optionsFor(hub);
    const ours = [];
    for (const path of Object.keys(files)) ours.push(await resolveFile({ repo, path, ...options }));
    hub.seen.length = 0;
    const env = { HF_HUB_CACHE: options.cacheDir, HF_ENDPOINT: hub.endpoint };
    const found = await inPython(
      [
        ...Object.keys(files).map((path) => `print(${get(path, ', local_files_only=True')})`),
        `print(${get('sub/notes.txt', `, local_files_only=True, revision='${hub.commit}'`)})`,
        'info = scan_cache_dir()',
        'print(len(info.warnings), [(r.repo_id, r.nb_files, sorted(r.refs)) for r in info.repos], info.size_on_disk)',
      ],
      env,
    );
    const size = weights.byteLength + 7 + 5;
    expect(found.split('\n')).toEqual([...ours, ours[2], `0 [('${repo}', 3, ['main'])] ${size}`]);
    expect(hub.seen).toEqual([]);
    await inPython([`print(${get('model.safetensors')})`], env); // online: a look, and no download
    expect(hub.seen.map(({ method }) => method)).toEqual(['HEAD']);
  });

  test('this package finds what Python downloaded, offline and online', async () => {
    const hub = await startHub(files);
    hub.redirects = true;
    const options = optionsFor(hub);
    const env = { HF_HUB_CACHE: options.cacheDir, HF_ENDPOINT: hub.endpoint };
    const theirs = await inPython(
      Object.keys(files).map((path) => `print(${get(path)})`),
      env,
    );
    const before = filesBelow(options.cacheDir);
    hub.seen.length = 0;
    for (const offline of [true, false]) {
      const ours = [];
      for (const path of Object.keys(files))
        ours.push(await resolveFile({ repo, path, ...options, offline }));
      expect(ours).toEqual(theirs.split('\n'));
      expect(readFileSync(ours[1]!).equals(weights)).toBe(true);
    }
    expect(hub.downloads()).toEqual([]);
    expect(filesBelow(options.cacheDir)).toEqual(before);
    const lone = optionsFor(hub, options.cacheDir);
    await expect(openModel(repo, { ...lone, offline: true })).rejects.toThrow(/model.safetensors/); // noise is no model
  });

  test('both at once: each gets its file, and the cache stays whole', async () => {
    const hub = await startHub(files);
    hub.delay = 40; // 46 pieces
    const options = optionsFor(hub);
    const env = { HF_HUB_CACHE: options.cacheDir, HF_ENDPOINT: hub.endpoint };
    const python = inPython([`print(${get('model.safetensors')})`], env);
    while (hub.downloads().length === 0) await new Promise((done) => setTimeout(done, 50));
    await new Promise((done) => setTimeout(done, 400));
    const [theirs, ours] = await Promise.all([
      python,
      resolveFile({ repo, path: 'model.safetensors', ...options }),
    ]);
    expect(hub.downloads()).toHaveLength(2);
    expect(ours).toBe(theirs);
    expect(readFileSync(ours).equals(weights)).toBe(true);
    expect(filesBelow(options.cacheDir).filter((file) => /incomplete|e3va/.test(file))).toEqual([]);
  });
});
