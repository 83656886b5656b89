import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openWeights, type WeightFile } from '../src/index.ts';
import { zip } from './support/zip-writer.ts';

const folder = new URL('./fixtures/keras/', import.meta.url);
const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Record<
  string,
  { shape: number[]; values: number[] }
>;

async function expectModel(file: WeightFile, name: (weight: string) => string): Promise<void> {
  expect([...file.entries.keys()].sort()).toEqual(Object.keys(expected).map(name).sort());
  for (const [weight, { shape, values }] of Object.entries(expected)) {
    expect(file.entries.get(name(weight))).toEqual({ shape, dtype: 'F32' });
    const array = await file.read(name(weight));
    expect(array.shape).toEqual(shape);
    expect([...array.data]).toEqual(values.map(Math.fround));
  }
}

it.each(['whole.h5', 'weights.h5'])('%s of Keras 2', async (name) => {
  const file = await openWeights(new URL(name, folder));
  await expectModel(file, (weight) => weight);
  if (name === 'whole.h5') expect(JSON.parse(file.metadata.model_config!).class_name).toBe('Functional');
  else expect(file.metadata).toEqual({});
  await file.close();
  await expect(file.read('conv/kernel')).rejects.toThrow(/closed/);
  await file.close();
});

it('model.keras: the names come from its configuration', async () => {
  const file = await openWeights(new URL('model.keras', folder));
  await expectModel(file, (weight) => weight.replace(/^in_dense/, 'inner/in_dense'));
  expect(JSON.parse(file.metadata.model_config!).config.name).toBe('model');
  await file.close();
});

it('weights of Keras 3 alone: folders and numbers', async () => {
  const file = await openWeights(readFileSync(new URL('numbered.weights.h5', folder)));
  expect([...file.entries.keys()]).toContain('sequential/dense/0');
  expect([...(await file.read('dense_1/1')).data]).toEqual(expected['head/bias']!.values.map(Math.fround));
  expect(file.entries.size).toBe(Object.keys(expected).length);
  await file.close();
});

it('a .keras file whose configuration is no JSON keeps the numbers', async () => {
  const bytes = zip([
    { name: 'config.json', data: new TextEncoder().encode('{"class') },
    { name: 'model.weights.h5', data: readFileSync(new URL('numbered.weights.h5', folder)), deflated: true },
  ]);
  const file = await openWeights(bytes);
  expect([...file.entries.keys()]).toContain('conv2d/0');
  await file.close();
});

it('other HDF5 files: numbers are read, all else is left out', async () => {
  const file = await openWeights(new URL('other.h5', folder));
  expect(Object.fromEntries(file.entries)).toEqual({
    bomb: { shape: [3000, 3000], dtype: 'F32' },
    bytes: { shape: [3], dtype: 'U8' },
    double: { shape: [], dtype: 'F64' },
    empty: { shape: [0, 3], dtype: 'F32' },
    whole: { shape: [3], dtype: 'I64' },
  });
  expect(await file.read('bytes')).toEqual({ shape: [3], data: new Uint8Array([0, 1, 2]) });
  expect(await file.read('double')).toEqual({ shape: [], data: new Float32Array([0.5]) });
  expect(await file.read('empty')).toEqual({ shape: [0, 3], data: new Float32Array(0) });
  expect(await file.read('whole')).toEqual({ shape: [3], data: new Int32Array([-1, 0, 1]) });
  await expect(file.read('bomb')).rejects.toThrow(/more memory/);
  await file.close();
});

it('groups that hold themselves, and damaged files', async () => {
  await expect(openWeights(new URL('loop.h5', folder))).rejects.toThrow(/nested too deep/);
  const whole = readFileSync(new URL('weights.h5', folder));
  await expect(openWeights(whole.subarray(0, 600))).rejects.toThrow(/HDF5/);
  await expect(openWeights(whole.subarray(0, 5000))).rejects.toThrow(/HDF5/);
});
