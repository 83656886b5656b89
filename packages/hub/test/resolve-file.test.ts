import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import fs from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HubCacheError, HubOfflineError, HubUnavailableError, resolveFile } from '../src/index.ts';
import { gitSha, noise, repo, sha256, token } from './fake-hub.ts';
import { checkCache, filesBelow, optionsFor, startHub, warnings } from './helpers.ts';

const weights = noise(300_000);
const files = { 'config.json': '{"a":1}', 'model.safetensors': weights, 'deep/er/x.bin': noise(5000, 3) };
const large = { repo, path: 'model.safetensors' };

test('a large and a small file come into the layout that Python uses, and once only', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  for (const path of ['model.safetensors', 'config.json', 'deep/er/x.bin']) {
    const file = await resolveFile({ repo, path, ...options });
    expect(file).toBe(join(options.cacheDir, 'models--org--model/snapshots', hub.commit, path));
    expect(readFileSync(file).equals(hub.files.get(path)!)).toBe(true);
  }
  expect(readFileSync(join(options.cacheDir, 'models--org--model/refs/main'), 'utf8')).toBe(hub.commit);
  const small = gitSha(hub.files.get('config.json')!);
  expect(checkCache(options.cacheDir).sort()).toEqual(
    [sha256(weights), small, sha256(noise(5000, 3))].sort(),
  );
  expect(hub.downloads()).toHaveLength(3);

  hub.seen.length = 0;
  await resolveFile({ ...large, ...options });
  expect(hub.seen.map(({ method }) => method)).toEqual(['HEAD']); // what main stands for may have changed
  await resolveFile({ ...large, revision: hub.commit, ...options });
  expect(hub.seen).toHaveLength(1); // a commit does not
});

test('the same contents under another commit are not downloaded again', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  await resolveFile({ ...large, ...options });
  hub.commit = 'c0ffee0'.padEnd(40, '0').replace(/0$/, '1');
  const file = await resolveFile({ ...large, ...options });
  expect(file).toContain(hub.commit);
  expect(hub.downloads()).toHaveLength(1);
  expect(readFileSync(join(options.cacheDir, 'models--org--model/refs/main'), 'utf8')).toBe(hub.commit);
  checkCache(options.cacheDir);
});

test('progress is told from what is there to the end', async () => {
  const hub = await startHub(files);
  const steps: number[] = [];
  await resolveFile({
    ...large,
    ...optionsFor(hub),
    onProgress: ({ file, received, total }) => {
      expect([file, total]).toEqual(['model.safetensors', weights.byteLength]);
      steps.push(received);
    },
  });
  expect(steps.length).toBeGreaterThan(1);
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  expect(steps.at(-1)).toBe(weights.byteLength);
});

test('large files of another host arrive, and the token does not go there', async () => {
  const hub = await startHub(files);
  hub.redirects = true;
  await resolveFile({ ...large, ...optionsFor(hub), token });
  expect(hub.seen.map(({ method, host, authorization }) => [method, host, authorization])).toEqual([
    ['HEAD', 'hub', `Bearer ${token}`],
    ['GET', 'hub', `Bearer ${token}`],
    ['GET', 'other', undefined],
  ]);
});

test('offline, what the cache has is used without a request', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  await resolveFile({ ...large, ...options });
  hub.seen.length = 0;
  const file = await resolveFile({ ...large, ...options, offline: true });
  expect(readFileSync(file).byteLength).toBe(weights.byteLength);
  await expect(resolveFile({ repo, path: 'config.json', ...options, offline: true })).rejects.toThrow(
    HubOfflineError,
  );
  await expect(resolveFile({ ...large, revision: 'v1', ...options, offline: true })).rejects.toThrow(
    HubOfflineError,
  );
  expect(hub.seen).toEqual([]);
});

test('without network, the cache is used and a warning says so', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  await resolveFile({ ...large, ...options });
  const address = hub.endpoint;
  await hub.close();
  expect(existsSync(await resolveFile({ ...large, ...options, endpoint: address }))).toBe(true);
  expect(warnings).toEqual([expect.stringMatching(/model.safetensors.*is taken from the cache/)]);
  await expect(resolveFile({ repo, path: 'config.json', ...options })).rejects.toThrow(HubUnavailableError);
});

test('the environment is read, and options come before it', async () => {
  const hub = await startHub(files);
  const { cacheDir } = optionsFor(hub);
  const before = { ...process.env };
  try {
    Object.assign(process.env, {
      HF_ENDPOINT: `${hub.endpoint}/`,
      HF_HOME: cacheDir,
      HF_TOKEN: ` ${token}\n`,
    });
    for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HUB_OFFLINE']) delete process.env[name];
    expect(await resolveFile({ repo, path: 'config.json' })).toContain(
      join(cacheDir, 'hub/models--org--model/'),
    );
    expect(hub.seen[0]!.authorization).toBe(`Bearer ${token}`);
    delete process.env.HF_TOKEN;
    delete process.env.HUGGING_FACE_HUB_TOKEN;
    writeFileSync(join(cacheDir, 'token'), 'hf_ofthefile\n');
    await resolveFile({ repo, path: 'config.json' });
    expect(hub.seen.at(-1)!.authorization).toBe('Bearer hf_ofthefile');
    await resolveFile({ repo, path: 'config.json', token: false });
    expect(hub.seen.at(-1)!.authorization).toBeUndefined();
    process.env.HF_HUB_CACHE = join(cacheDir, 'other');
    process.env.HF_HUB_OFFLINE = '1';
    await expect(resolveFile({ repo, path: 'config.json' })).rejects.toThrow(HubOfflineError);
    expect(await resolveFile({ repo, path: 'config.json', offline: false })).toContain(
      join(cacheDir, 'other/'),
    );
  } finally {
    process.env = before;
  }
});

test('a part of an earlier run is resumed by a range', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  const blobs = join(options.cacheDir, 'models--org--model/blobs');
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, `${sha256(weights)}.e3va.incomplete`), weights.subarray(0, 123_456));
  await resolveFile({ ...large, ...options });
  expect(hub.downloads().map(({ range }) => range)).toEqual(['bytes=123456-']);
  checkCache(options.cacheDir);
});

test("a part that Python's library left is resumed too, and removed once it is old", async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  const blobs = join(options.cacheDir, 'models--org--model/blobs');
  const theirs = join(blobs, `${sha256(weights)}.incomplete`);
  mkdirSync(blobs, { recursive: true });
  writeFileSync(theirs, weights.subarray(0, 1000));
  utimesSync(theirs, 1e9, 1e9);
  await resolveFile({ ...large, ...options });
  expect(hub.downloads().map(({ range }) => range)).toEqual(['bytes=1000-']);
  checkCache(options.cacheDir);
});

test('a damaged part is thrown away and the file downloaded anew', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  const blobs = join(options.cacheDir, 'models--org--model/blobs');
  mkdirSync(blobs, { recursive: true });
  const part = join(blobs, `${sha256(weights)}.e3va.incomplete`);
  writeFileSync(part, noise(1000, 77));
  await resolveFile({ ...large, ...options });
  expect(hub.downloads().map(({ range }) => range)).toEqual(['bytes=1000-', undefined]);
  expect(warnings).toEqual([expect.stringMatching(/was damaged/)]);
  checkCache(options.cacheDir);
  writeFileSync(part, noise(weights.byteLength + 1)); // longer than the file
  rmSync(join(blobs, sha256(weights)));
  await resolveFile({ ...large, ...options });
  checkCache(options.cacheDir);
});

test('a blob of the wrong size and a link to nothing are replaced', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  const file = await resolveFile({ ...large, ...options });
  const blob = join(options.cacheDir, 'models--org--model/blobs', sha256(weights));
  writeFileSync(blob, 'short');
  await resolveFile({ ...large, ...options });
  expect(statSync(file).size).toBe(weights.byteLength);
  rmSync(blob);
  await resolveFile({ ...large, revision: hub.commit, ...options });
  expect(statSync(file).size).toBe(weights.byteLength);
  checkCache(options.cacheDir);
});

test('an empty file is a file', async () => {
  const hub = await startHub({ 'empty.json': '' });
  const options = optionsFor(hub);
  expect(readFileSync(await resolveFile({ repo, path: 'empty.json', ...options })).byteLength).toBe(0);
  checkCache(options.cacheDir);
});

test('what the headers do not tell comes from the list of files', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  hub.headers.etag = 'no-checksum';
  const file = await resolveFile({ ...large, ...options });
  expect(readFileSync(file).equals(weights)).toBe(true);
  expect(warnings).toEqual([]);
  hub.lists = false;
  await resolveFile({ repo, path: 'config.json', ...options });
  expect(warnings).toEqual([expect.stringMatching(/tells no checksum of config.json/)]);
});

test('a cache that cannot be written is an error that says so', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  const file = join(options.cacheDir, 'file');
  writeFileSync(file, '');
  await expect(resolveFile({ ...large, ...options, cacheDir: join(file, 'cache') })).rejects.toThrow(
    HubCacheError,
  );
  mkdirSync(join(options.cacheDir, 'models--org--model'));
  writeFileSync(join(options.cacheDir, 'models--org--model/blobs'), '');
  await expect(resolveFile({ ...large, ...options })).rejects.toThrow(/cannot be used[\s\S]*HF_HOME/);
});

test('where the system makes no links, the snapshot has copies', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  const { symlink } = fs;
  fs.symlink = async () => {
    throw Object.assign(new Error('EPERM: operation not permitted, symlink'), {
      code: 'EPERM',
      syscall: 'symlink',
    });
  };
  try {
    const file = await resolveFile({ ...large, ...options });
    expect(lstatSync(file).isFile()).toBe(true);
    expect(readFileSync(file).equals(weights)).toBe(true);
    expect(await resolveFile({ ...large, ...options })).toBe(file);
    expect(filesBelow(options.cacheDir)).toHaveLength(3); // blob, ref, copy
    expect(hub.downloads()).toHaveLength(1);
  } finally {
    fs.symlink = symlink;
  }
});

test('a hub that gives no answer is not waited for long where the cache has the file', async () => {
  const hub = await startHub(files);
  const options = optionsFor(hub);
  await resolveFile({ ...large, ...options });
  let requests = 0;
  const silent = createServer(() => requests++);
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  expect(await resolveFile({ ...large, ...options, endpoint, stallTimeout: 500 })).toContain(hub.commit);
  expect(requests).toBe(1); // and no further tries
  expect(warnings).toEqual([expect.stringMatching(/stalled: model.safetensors.*from the cache/)]);
  silent.closeAllConnections();
  silent.close();
});
