import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { encodeSafetensors } from '@e3va/adapter-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openWeights, type WeightFile, WeightFileError } from '../src/index.ts';
import { checkpoint, dict, tensor } from './support/pickle-writer.ts';

const fixtures = new URL('./fixtures/torch/', import.meta.url);
const expected = JSON.parse(readFileSync(new URL('weights.json', fixtures), 'utf8')) as Record<
  string,
  { shape: number[]; values: number[] }
>;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'e3va-index-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

async function expectAll(file: WeightFile): Promise<void> {
  expect([...file.entries.keys()]).toEqual(Object.keys(expected));
  for (const [name, { shape, values }] of Object.entries(expected)) {
    expect(await file.read(name)).toEqual({ shape, data: new Float32Array(values) });
  }
  expect(file.metadata).toEqual({ total_size: '144' });
  await expect(file.read('none')).rejects.toThrow(WeightFileError);
  await file.close();
  await expect(file.read(Object.keys(expected)[0]!)).rejects.toThrow(/closed/);
}

it.each(['model.safetensors.index.json', 'pytorch_model.bin.index.json'])(
  '%s by a path, a relative path, an address of a file, and bytes',
  async (name) => {
    const url = new URL(name, fixtures);
    await expectAll(await openWeights(fileURLToPath(url)));
    await expectAll(await openWeights(relative('.', fileURLToPath(url))));
    await expectAll(await openWeights(url));
    await expectAll(await openWeights(url.href));
    const beside = (file: string) => readFileSync(new URL(file, fixtures));
    await expectAll(await openWeights(readFileSync(url), { name, beside }));
  },
);

it('from a server: the files are asked for beside the index, under encoded names', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    const name = decodeURIComponent(new URL(request.url!, 'http://x').pathname.slice(1));
    if (name === 'models/index.json') return response.end(index({ a: 'a b?.safetensors' }));
    return response.end(shard('a'));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/index.json`;
  const file = await openWeights(address);
  expect([...(await file.read('a')).data]).toEqual([1]);
  expect(asked).toEqual(['/models/index.json', '/models/a%20b%3F.safetensors']);
  await file.close();
  server.close();
});

function index(map: Record<string, unknown>): string {
  return JSON.stringify({ metadata: {}, weight_map: map });
}

function shard(...names: string[]): Uint8Array {
  return encodeSafetensors(
    Object.fromEntries(names.map((name) => [name, { shape: [1], data: new Float32Array([1]) }])),
  );
}

function open(text: string, files: Record<string, Uint8Array> = {}): Promise<WeightFile> {
  return openWeights(new TextEncoder().encode(text), { name: 'index', beside: (file) => files[file]! });
}

it('files of both kinds under one index, and links', async () => {
  writeFileSync(join(folder, 'index.json'), index({ a: 'sub.safetensors', b: 'b.bin' }));
  writeFileSync(join(folder, 'blob'), shard('a'));
  symlinkSync('blob', join(folder, 'sub.safetensors')); // as the hub's cache has it
  writeFileSync(join(folder, 'b.bin'), checkpoint(dict({ b: tensor() })));
  const file = await openWeights(pathToFileURL(join(folder, 'index.json')));
  expect((await file.read('a')).data.length + (await file.read('b')).data.length).toBe(5);
  await file.close();
});

it.each([
  '../../etc/passwd',
  '/etc/passwd',
  'a/../../b',
  '..',
  './a',
  'a//b',
  'a\\b',
  'a\0b',
  'C:a',
  'http://elsewhere/a',
  '',
  'x'.repeat(2000),
  5,
  null,
  ['a'],
])('a name that leads outside, %j, is refused before anything is opened', async (file) => {
  const error = await open(index({ a: file })).catch((e) => e);
  expect(error).toBeInstanceOf(WeightFileError);
  expect(error.message).toMatch(/outside of its folder/);
});

it('what the index names must be there', async () => {
  const files = { 's.safetensors': shard('a') };
  await expect(open(index({ a: 's.safetensors', b: 's.safetensors' }), files)).rejects.toThrow(
    /tensor 'b' is not in 's.safetensors'/,
  );
  await expect(openWeights(new TextEncoder().encode(index({ a: 'x' })))).rejects.toThrow(/no folder/);
  writeFileSync(join(folder, 'lonely.json'), index({ a: 'absent.safetensors' }));
  await expect(openWeights(join(folder, 'lonely.json'))).rejects.toThrow(
    /absent\.safetensors\) cannot be read/,
  );
});

it('a damaged file, or another index as one, is refused at once', async () => {
  const cut = shard('a').subarray(0, 20);
  await expect(open(index({ a: 's' }), { s: cut })).rejects.toThrow(WeightFileError);
  const inner = new TextEncoder().encode(index({ a: 's' }));
  await expect(open(index({ a: 's' }), { s: inner })).rejects.toThrow(/no weight file/);
});

it.each([
  ['a map that is none', '{"weight_map":[]}', /no object/],
  ['names twice', '{"weight_map":{"a":"x","a":"y"}}', /the key 'a' stands twice/],
  ['no JSON', '{"weight_map":', /not JSON/],
  ['a configuration', '{"model_type":"swin"}', /this is the configuration/],
  ['an empty object', '{}', /an empty object/],
  ['nesting without end', `{"weight_map":${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}}`, /nested more than/],
])('%s is refused', async (_, text, message) => {
  await expect(open(text)).rejects.toThrow(message);
});

it('__proto__ is a name like any other', async () => {
  const file = await open('{"weight_map":{"__proto__":"s"}}', {
    s: checkpoint(dict({ ['__proto__']: tensor() })),
  });
  expect([...file.entries.keys()]).toEqual(['__proto__']);
  expect((await file.read('__proto__')).shape).toEqual([4]);
  await file.close();
});
