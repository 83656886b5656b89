import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { beforeAll, expect, it } from 'vitest';
import { openWeights, WeightFileError } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

it('a model that tfjs saved', async () => {
  const model = sequential({
    layers: [
      layers.dense({ units: 3, inputShape: [4], name: 'first' }),
      layers.dense({ units: 2, name: 'last' }),
    ],
  });
  let artifacts!: tf.io.ModelArtifacts;
  await model.save(
    tf.io.withSaveHandler(async (saved) => {
      artifacts = saved;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  const { weightData, weightSpecs: weights, modelTopology, format, generatedBy } = artifacts;
  const bytes = new Uint8Array(weightData as ArrayBuffer);
  const folder = mkdtempSync(join(tmpdir(), 'e3va-tfjs-'));
  const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
  writeFileSync(join(folder, paths[0]!), bytes.subarray(0, 30)); // in the midst of a number
  writeFileSync(join(folder, paths[1]!), bytes.subarray(30));
  const json = { modelTopology, format, generatedBy, weightsManifest: [{ paths, weights }] };
  writeFileSync(join(folder, 'model.json'), JSON.stringify(json));

  const file = await openWeights(join(folder, 'model.json'));
  expect([...file.entries.keys()]).toEqual(model.weights.map(({ originalName }) => originalName));
  for (const weight of model.weights) {
    const value = weight.read();
    expect(await file.read(weight.originalName)).toEqual({ shape: value.shape, data: await value.data() });
  }
  expect(file.metadata).toEqual({ format, generatedBy });
  await file.close();
  rmSync(folder, { recursive: true });
  model.dispose();
});

it('every type and quantisation as tf.io decodes it', async () => {
  const q = (dtype: 'uint8' | 'uint16' | 'float16', scale?: number, min?: number) => ({ dtype, scale, min });
  const specs = [
    { name: 'f', shape: [2], dtype: 'float32' as const },
    { name: 'i', shape: [1, 2], dtype: 'int32' as const },
    { name: 'b', shape: [3], dtype: 'bool' as const },
    { name: 'q8', shape: [3], dtype: 'float32' as const, quantization: q('uint8', 0.013, -1.7) },
    { name: 'q16', shape: [2], dtype: 'float32' as const, quantization: q('uint16', 1.3e-4, -3.1) },
    { name: 'q16i', shape: [2], dtype: 'int32' as const, quantization: q('uint16', 0.37, -5) },
    { name: 'h', shape: [3], dtype: 'float32' as const, quantization: q('float16') },
    { name: 'scalar', shape: [], dtype: 'float32' as const },
    { name: 'none', shape: [0], dtype: 'float32' as const },
  ];
  const bytes = new Uint8Array(8 + 8 + 3 + 3 + 4 + 4 + 6 + 4);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 89 + 7) & 63;
  bytes.set([1, 0, 1], 16);
  const expected = tf.io.decodeWeights(bytes.buffer, specs as tf.io.WeightsManifestEntry[]);
  const json = JSON.stringify({ weightsManifest: [{ paths: ['w'], weights: specs }] });
  const file = await openWeights(new TextEncoder().encode(json), { beside: () => bytes });
  for (const { name, shape } of specs) {
    const array = await file.read(name);
    expect(array.shape).toEqual(shape);
    expect([...array.data], name).toEqual([...(await expected[name]!.data())]);
  }
  tf.dispose(expected);
});

it.each<[string, unknown, RegExp]>([
  ['no list', { a: 1 }, /no list/],
  ['a group that is none', [5], /damaged/],
  ['a path outside', [{ paths: ['../w'], weights: [] }], /outside of its folder/],
  ['a weight without a name', [{ paths: ['w'], weights: [{ shape: [1], dtype: 'float32' }] }], /no name/],
  ['a wrong type', [{ paths: ['w'], weights: [{ name: 'a', shape: [1], dtype: 'string' }] }], /not read/],
  [
    'a wrong shape',
    [{ paths: ['w'], weights: [{ name: 'a', shape: [-1], dtype: 'bool' }] }],
    /no valid shape/,
  ],
  [
    'a huge shape',
    [{ paths: ['w'], weights: [{ name: 'a', shape: [1e9, 1e9], dtype: 'bool' }] }],
    /more numbers/,
  ],
  ['bytes behind', [{ paths: ['w'], weights: [{ name: 'a', shape: [1], dtype: 'float32' }] }], /the size/],
  [
    'a name twice',
    [
      {
        paths: ['w'],
        weights: [
          { name: 'a', shape: [4], dtype: 'bool' },
          { name: 'a', shape: [4], dtype: 'bool' },
        ],
      },
    ],
    /twice/,
  ],
  [
    'a scale that is no number',
    [
      {
        paths: ['w'],
        weights: [
          { name: 'a', shape: [8], dtype: 'float32', quantization: { dtype: 'uint8', scale: '1', min: 0 } },
        ],
      },
    ],
    /no valid scale/,
  ],
])('%s is refused', async (_, weightsManifest, message) => {
  const bytes = new TextEncoder().encode(JSON.stringify({ weightsManifest }));
  const error = await openWeights(bytes, { beside: () => new Uint8Array(8) }).catch((e) => e);
  expect(error).toBeInstanceOf(WeightFileError);
  expect(error.message).toMatch(message);
});
