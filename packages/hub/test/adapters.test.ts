import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AdapterMetadata, decodeAdapter, encodeAdapter, encodeSafetensors } from '@e3va/adapter-core';
import { expect, test } from 'vitest';
import {
  HubAccessError,
  HubModelError,
  HubNameError,
  HubSettingError,
  HubUnavailableError,
  pullAdapter,
  pushAdapter,
} from '../src/index.ts';
import { repo, sha256, token } from './fake-hub.ts';
import { checkCache, emptyFolder, optionsFor, startHub } from './helpers.ts';

const metadata = {
  formatVersion: 1,
  library: '0.1.0',
  method: { name: 'e3va', config: { rank: 8, 'ev|il\n': '<b>*' } },
  taps: { stage1: ['a'] },
  base: { name: 'swin', layers: 1, parameters: 2, hash: 'abc' },
} as unknown as AdapterMetadata;
const adapter = encodeAdapter({
  tensors: { down: { shape: [2], data: new Float32Array([1, 2]) } },
  metadata,
});

test('an adapter is published with a card, and comes back the same', async () => {
  const hub = await startHub({ 'config.json': '{}' });
  const options = { ...optionsFor(hub), token };
  const pushed = await pushAdapter({
    ...options,
    repo,
    bytes: adapter,
    baseModel: 'org/base',
    license: 'mit',
    private: true,
  });
  expect(pushed).toEqual({ repo, commit: hub.commit, url: `${hub.endpoint}/org/model` });
  expect(hub.pushed.created).toEqual([
    expect.objectContaining({ name: 'model', organization: 'org', type: 'model', visibility: 'private' }),
  ]);
  expect([...hub.pushed.lfs].map(([oid, bytes]) => [oid, Buffer.from(bytes).equals(adapter)])).toEqual([
    [sha256(adapter), true],
  ]);
  const [head, ...rest] = hub.pushed.commits as { key: string; value: Record<string, string> }[];
  expect(head!.value.summary).toBe('Upload an adapter of the method e3va');
  expect(rest.map(({ key, value }) => [key, value.path])).toEqual(
    expect.arrayContaining([
      ['lfsFile', 'adapter.safetensors'],
      ['file', 'README.md'],
    ]),
  );
  const card = Buffer.from(rest.find(({ key }) => key === 'file')!.value.content!, 'base64').toString();
  expect(card).toMatch(
    /^---\nlibrary_name: e3va\nbase_model: org\/base\n[\s\S]*license: mit\n[\s\S]*---\n\n# model\n/,
  );
  expect(card).toContain('| rank | 8 |');
  expect(card).toContain('| ev\\|il  | \\<b\\>\\* |');
  for (const { host, authorization } of hub.seen) {
    expect(authorization).toBe(host === 'hub' ? `Bearer ${token}` : undefined);
  }

  hub.files.set('adapter.safetensors', hub.pushed.lfs.get(sha256(adapter))!);
  const path = await pullAdapter(`${repo}@main`, options);
  expect(decodeAdapter(readFileSync(path)).metadata).toEqual(metadata);
  checkCache(options.cacheDir);
});

test('into a repository that exists, without touching its card; tokens of other forms and files work', async () => {
  const hub = await startHub({ 'README.md': 'mine' });
  hub.pushed.created.push({});
  const file = join(emptyFolder(), 'a.safetensors');
  writeFileSync(file, adapter);
  await pushAdapter({ ...optionsFor(hub), token: 'of-another-form', repo, file, message: 'Hello' });
  const [head, ...rest] = hub.pushed.commits as { value: Record<string, string> }[];
  expect(head!.value.summary).toBe('Hello');
  expect(rest.map(({ value }) => value.path)).toEqual(['adapter.safetensors']);
});

test('what is wrong is said before any request', async () => {
  const hub = await startHub({});
  const options = { ...optionsFor(hub), token, repo, bytes: adapter };
  const cases: [object, new (...args: never[]) => Error][] = [
    [{ repo: 'name' }, HubNameError],
    [{ repo: '../x' }, HubNameError],
    [{ baseModel: 'x\nlicense: mit' }, HubNameError],
    [{ revision: '..' }, HubNameError],
    [{ license: 'a: b' }, HubSettingError],
    [{ token: false }, HubSettingError],
    [{ offline: true }, HubSettingError],
    [{ bytes: undefined }, HubModelError],
    [{ file: 'x' }, HubModelError],
    [{ bytes: undefined, file: '/nowhere/x' }, HubModelError],
    [{ bytes: new Uint8Array(5) }, Error],
    [{ bytes: encodeSafetensors({ a: { shape: [1], data: new Float32Array(1) } }) }, Error],
  ];
  for (const [change, error] of cases) {
    const thrown = await pushAdapter({ ...options, ...change } as never).catch((reason) => reason);
    expect(thrown).toBeInstanceOf(error);
    expect(thrown.parts).toBeDefined();
  }
  await expect(pullAdapter('../x', options)).rejects.toThrow(HubNameError);
  expect(hub.seen).toEqual([]);
});

test('a token that may not write, and a hub that is down: nothing is tried twice', async () => {
  const hub = await startHub({});
  const options = { ...optionsFor(hub), token, repo, bytes: adapter };
  hub.trouble = { kind: 'status', status: 403, head: true };
  await expect(pushAdapter(options)).rejects.toThrow(/does not allow[\s\S]*may write to/);
  await expect(pushAdapter(options)).rejects.toThrow(HubAccessError);
  hub.trouble = { kind: 'status', status: 500, head: true };
  await expect(pushAdapter(options)).rejects.toThrow(HubUnavailableError);
  const made = hub.seen.filter(({ method }) => method === 'POST');
  expect(made.map(({ url }) => url)).toEqual(new Array(3).fill('/api/repos/create'));
  hub.trouble = { kind: 'status', status: 403, head: true, only: '/create' }; // it may write to what exists
  expect(await pushAdapter(options)).toMatchObject({ commit: hub.commit });
});

test('an adapter under another name is found if it is the only one', async () => {
  const hub = await startHub({ 'pets.safetensors': adapter, 'README.md': 'x' });
  const options = optionsFor(hub);
  expect(readFileSync(await pullAdapter(repo, options)).equals(adapter)).toBe(true);
  hub.files.set('more.safetensors', adapter);
  await expect(pullAdapter(repo, options)).rejects.toThrow(/several weight files/);
  expect(await pullAdapter(repo, { ...options, file: 'more.safetensors' })).toContain('more.safetensors');
});
