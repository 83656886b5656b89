import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encodeSafetensors } from '@e3va/adapter-core';
import { WeightFileError } from '@e3va/weight-files';
import { afterEach, expect, test } from 'vitest';
import {
  HubModelError,
  HubNotFoundError,
  HubOfflineError,
  HubResponseError,
  HubStallError,
  HubUnavailableError,
  openModel,
} from '../src/index.ts';
import { repo } from './fake-hub.ts';
import { checkCache, emptyFolder, filesBelow, optionsFor, startHub, warnings } from './helpers.ts';

const tensors = (...names: string[]) =>
  encodeSafetensors(
    Object.fromEntries(names.map((name, i) => [name, { shape: [2], data: new Float32Array([i, i + 0.5]) }])),
  );
const config = '{"model_type":"swin","depths":[2,2]}';
const one = { 'config.json': config, 'model.safetensors': tensors('a', 'b') };
const index = (map: Record<string, string>) => JSON.stringify({ metadata: {}, weight_map: map });
const sharded = {
  'config.json': config,
  'model.safetensors.index.json': index({ a: 'model-1.safetensors', b: 'part/model-2.safetensors' }),
  'model-1.safetensors': tensors('a'),
  'part/model-2.safetensors': tensors('x', 'b').subarray(0),
};

/** A folder with these files. */
function folderOf(files: Record<string, Uint8Array | string>): string {
  const folder = emptyFolder();
  for (const [name, data] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), data);
  }
  return folder;
}

/** Opens a model, reads everything and closes it. */
async function everything(...args: Parameters<typeof openModel>) {
  const model = await openModel(...args);
  const values: Record<string, number[]> = {};
  for (const name of model.weights.entries.keys()) values[name] = [...(await model.weights.read(name)).data];
  await model.close();
  await expect(model.weights.read('a')).rejects.toThrow();
  return { name: model.name, commit: model.commit, config: model.config, values, file: model.weights.name };
}

test('a model of a hub: configuration and weights of one commit, then without the network', async () => {
  const hub = await startHub(one);
  const options = optionsFor(hub);
  const expected = {
    name: repo,
    commit: hub.commit,
    config: { model_type: 'swin', depths: [2, 2] },
    values: { a: [0, 0.5], b: [1, 1.5] },
    file: 'org/model (model.safetensors)',
  };
  expect(await everything(repo, options)).toEqual(expected);
  expect(hub.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
    'HEAD /org/model/resolve/main/config.json',
    'GET /org/model/resolve/main/config.json',
    `HEAD /org/model/resolve/${hub.commit}/model.safetensors`,
    `GET /org/model/resolve/${hub.commit}/model.safetensors`,
  ]);
  hub.seen.length = 0;
  expect(await everything(`${repo}@main`, options)).toEqual(expected);
  expect(hub.seen.map(({ method }) => method)).toEqual(['HEAD']); // of the branch
  expect(await everything(`${repo}@${hub.commit}`, options)).toEqual(expected);
  expect(await everything(repo, { ...options, revision: hub.commit })).toEqual(expected);
  expect(await everything(repo, { ...options, offline: true })).toEqual(expected);
  expect(hub.seen).toHaveLength(1);
  await hub.close();
  expect(await everything(repo, options)).toEqual(expected);
  expect(warnings).toEqual([expect.stringMatching(/is taken from the cache/)]);
});

test('a sharded model: the index and the files that it names', async () => {
  const hub = await startHub(sharded);
  const options = optionsFor(hub);
  expect((await everything(repo, options)).values).toEqual({ a: [0, 0.5], b: [1, 1.5] });
  expect((await everything(repo, { ...options, offline: true })).values).toEqual({
    a: [0, 0.5],
    b: [1, 1.5],
  });
  checkCache(options.cacheDir);
  expect((await everything(folderOf(sharded))).values).toEqual({ a: [0, 0.5], b: [1, 1.5] });
});

test.each(['../../../etc/passwd', '/etc/passwd', 'a\\b', '..', 'https://example.org/x', ''])(
  'an index cannot lead elsewhere: %j',
  async (name) => {
    const hub = await startHub({ 'model.safetensors.index.json': index({ a: name }) });
    const options = optionsFor(hub);
    await expect(openModel(repo, options)).rejects.toThrow(WeightFileError);
    expect(hub.seen.every(({ url }) => !url.includes('passwd'))).toBe(true);
    expect(filesBelow(options.cacheDir).filter((file) => file.includes('snapshots'))).toHaveLength(1);
  },
);

test('a missing shard is named', async () => {
  const { 'model-1.safetensors': _, ...rest } = sharded;
  const hub = await startHub(rest);
  await expect(openModel(repo, optionsFor(hub))).rejects.toThrow(/no file model-1.safetensors/);
});

test('which weights are taken', async () => {
  const bin = tensors('bin'); // the contents tell the format
  const cases: [Record<string, Uint8Array | string>, string][] = [
    [
      { 'model.safetensors': tensors('a'), 'pytorch_model.bin': bin, 'x.safetensors': bin },
      'model.safetensors',
    ],
    [{ 'pytorch_model.bin': bin, 'x.safetensors': tensors('x') }, 'pytorch_model.bin'],
    [
      { 'pytorch_model.bin.index.json': index({ b: 'y.bin' }), 'y.bin': tensors('b') },
      'pytorch_model.bin.index.json',
    ],
    [{ 'x.safetensors': tensors('x'), 'y.pth': bin, 'README.md': 'z' }, 'x.safetensors'],
    [{ 'y.pth': bin, 'notes.txt': 'z' }, 'y.pth'],
  ];
  for (const [files, chosen] of cases) {
    const hub = await startHub(files);
    const options = optionsFor(hub);
    expect((await everything(repo, options)).file).toBe(`org/model (${chosen})`);
    const folder = folderOf(files);
    expect((await everything(folder)).file).toBe(`${basename(folder)} (${chosen})`);
    await hub.close(); // and again without network, from what was downloaded
    expect((await everything(repo, options)).file).toBe(`org/model (${chosen})`);
  }
});

test('where no or several files could be meant, the error lists them; an option names one', async () => {
  const two = {
    'small.safetensors': tensors('s'),
    'large.safetensors': tensors('l'),
    'sub/config.json': '{}',
  };
  const none = { 'README.md': 'hello', 'training.bin': 'x' };
  const hub = await startHub(two);
  const empty = await startHub(none);
  for (const open of [
    (file?: string) => openModel(repo, { ...optionsFor(hub), ...(file && { file }) }),
    (file?: string) => openModel(folderOf(two), file ? { file } : {}),
  ]) {
    await expect(open()).rejects.toThrow(/several weight files[\s\S]*large.safetensors[\s\S]*option file/);
    await expect(open('other.safetensors')).rejects.toThrow(HubModelError);
    const model = await open('large.safetensors');
    expect([...model.weights.entries.keys()]).toEqual(['l']);
    await model.close();
  }
  for (const open of [() => openModel(repo, optionsFor(empty)), () => openModel(folderOf(none))]) {
    await expect(open()).rejects.toThrow(/no weights[\s\S]*README.md, training.bin/);
  }
  await expect(openModel(repo, { ...optionsFor(hub), file: '../x' })).rejects.toThrow(
    /not a path in a repository/,
  );
});

test('a folder, a file with its configuration, a file alone, an address', async () => {
  const folder = folderOf({ ...one, 'other.safetensors': tensors('o'), 'broken.pth': 'no pickle' });
  const model = { model_type: 'swin', depths: [2, 2] };
  expect(await everything(folder)).toMatchObject({
    name: basename(folder),
    config: model,
    commit: undefined,
  });
  expect(await everything(join(folder, 'model.safetensors'))).toMatchObject({
    name: 'model.safetensors',
    config: model,
    file: 'model.safetensors',
  });
  expect(await everything(relative(process.cwd(), join(folder, 'other.safetensors')))).toMatchObject({
    config: undefined,
    values: { o: [0, 0.5] },
  });
  expect(await everything(pathToFileURL(join(folder, 'model.safetensors')))).toMatchObject({ config: model });
  const hub = await startHub(one);
  const address = `${hub.endpoint}/org/model/resolve/main/model.safetensors`;
  expect(await everything(address)).toMatchObject({
    name: address,
    config: undefined,
    values: { a: [0, 0.5] },
  });
  await expect(openModel(join(folder, 'broken.pth'))).rejects.toThrow(WeightFileError);
  symlinkSync(join(folder, 'model.safetensors'), join(folder, 'model.bin'));
  expect(await everything(join(folder, 'model.bin'))).toMatchObject({ config: undefined });
});

const home = process.cwd();
afterEach(() => process.chdir(home));

test('an existing path comes before a model id', async () => {
  const hub = await startHub(one);
  const options = optionsFor(hub);
  const folder = folderOf({ 'org/model/model.safetensors': tensors('here') });
  process.chdir(folder);
  expect((await everything('org/model', options)).values).toHaveProperty('here');
  process.chdir(home);
  expect((await everything('org/model', options)).values).toHaveProperty('a');
});

test.each([
  './org/model',
  '/nowhere/at/all',
  '~/x',
  'model.safetensors',
  'a/b.pth',
  'a\\b',
  'C:\\x',
  'org/model/x',
  '',
  'a b',
  '../x',
  'file:///nowhere',
])('what is neither there nor an id is not asked of the hub: %j', async (source) => {
  const hub = await startHub(one);
  await expect(openModel(source, optionsFor(hub))).rejects.toThrow(HubModelError);
  expect(hub.seen).toEqual([]);
});

test.each(['[1]', 'null', '3', '{', '{"a":1', '\ufffe', 'x'.repeat(5_000_000)])(
  'a config.json that is none: %.20s',
  async (text) => {
    const hub = await startHub({ ...one, 'config.json': text });
    const options = optionsFor(hub);
    await expect(openModel(repo, options)).rejects.toThrow(
      text.length > 1000 ? HubResponseError : HubModelError,
    );
    if (text.length > 1000) expect(hub.downloads()).toEqual([]);
    await expect(openModel(folderOf({ ...one, 'config.json': text }))).rejects.toThrow(HubModelError);
  },
);

test('errors of the hub are those of its files', async () => {
  const hub = await startHub(one);
  const options = optionsFor(hub);
  await expect(openModel('org/nothing', options)).rejects.toThrow(HubNotFoundError);
  await expect(openModel(`${repo}@no-branch`, options)).rejects.toThrow(/check the revision/);
  await expect(openModel(repo, { ...options, offline: true })).rejects.toThrow(HubOfflineError);
  hub.trouble = { kind: 'stall' };
  await expect(openModel(repo, { ...options, stallTimeout: 400 })).rejects.toThrow(HubStallError);
  hub.trouble = { kind: 'status', status: 503, head: true };
  await expect(openModel(repo, options)).rejects.toThrow(HubUnavailableError);
  expect(checkCache(options.cacheDir)).toEqual([]);
});
