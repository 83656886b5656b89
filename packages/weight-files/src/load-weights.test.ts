import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encodeSafetensors } from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WeightFileError, WeightsMismatchError } from './errors.ts';
import { type LoadWeightsOptions, loadWeights, type WeightTarget } from './load-weights.ts';
import { openWeights } from './open-weights.ts';
import { memoryWeights, type WeightFile } from './weight-file.ts';
import { asIs, linear, reshaped, type WeightSource } from './weight-source.ts';

let model: Sequential;

beforeAll(async () => {
  await tf.setBackend('cpu');
});

beforeEach(() => {
  model?.dispose();
  const zeros = { kernelInitializer: 'zeros' as const, biasInitializer: 'zeros' as const };
  model = sequential({
    layers: [layers.dense({ units: 2, inputShape: [3], ...zeros }), layers.dense({ units: 1, ...zeros })],
  });
});

const arrays = () => ({
  'a.weight': { shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) },
  'a.bias': { shape: [2], data: new Float32Array([7, 8]) },
  'b.weight': { shape: [1, 2], data: new Int32Array([9, 10]) },
  'b.bias': { shape: [1], data: new Float32Array([11]) },
});

const sources: WeightSource[] = [
  linear('a.weight', [3, 2]),
  asIs('a.bias', [2]),
  reshaped('b.weight', [1, 2]),
  asIs('b.bias', [1]),
];

const targets = (changes: Record<number, WeightSource> = {}): WeightTarget[] =>
  model.weights.map((variable, i) => ({ variable, source: changes[i] ?? sources[i]! }));

const values = () => model.getWeights().map((weight) => [...weight.dataSync()]);

const loaded = [[1, 4, 2, 5, 3, 6], [7, 8], [9, 10], [11]];
const untouched = [[0, 0, 0, 0, 0, 0], [0, 0], [0, 0], [0]];

/** The error of a load, and that it leaves no tensor behind. */
async function failure(file: WeightFile, to: WeightTarget[], options?: LoadWeightsOptions): Promise<Error> {
  const before = tf.memory().numTensors;
  const error = await loadWeights(file, to, options).catch((e) => e);
  expect(tf.memory().numTensors).toBe(before);
  expect(error).toBeInstanceOf(Error);
  return error;
}

describe.each([true, false])('loadWeights with fresh: %s', (fresh) => {
  it('loads what is asked for, whole numbers too, and leaves no tensor behind', async () => {
    const file = memoryWeights({ ...arrays(), head: { shape: [1], data: new Float32Array(1) } });
    const before = tf.memory().numTensors;
    const report = await loadWeights(file, targets(), { fresh });
    expect(values()).toEqual(loaded);
    expect(tf.memory().numTensors).toBe(before);
    expect(report).toEqual({
      loaded: ['a.weight', 'a.bias', 'b.weight', 'b.bias'],
      resized: [],
      missing: [],
      skipped: ['head'],
    });
  });

  it('names what is missing, misshapen and without a place, before anything is read or written', async () => {
    const { 'a.bias': bias, ...rest } = arrays();
    const file = memoryWeights(
      { ...rest, 'b.bias': { shape: [2], data: new Float32Array(2) }, 'a.extra': bias, other: bias },
      { name: 'model.pth' },
    );
    const spied = { ...file, read: () => Promise.reject(new Error('must not be read')) };
    const options = { fresh, mustHavePlace: (name: string) => name.startsWith('a.') };
    const error = await failure(spied, targets(), options);
    expect(error).toBeInstanceOf(WeightsMismatchError);
    expect(error.message).toContain('the weights of model.pth do not fit the model');
    expect(error.message).toContain(
      '1 missing: a.bias; 1 of another shape: b.bias [2] instead of [1]; 1 without a place in the model: a.extra',
    );
    expect(values()).toEqual(untouched);
  });

  it('loads what fits if it is not strict', async () => {
    const { 'a.bias': _, ...rest } = arrays();
    const file = memoryWeights({ ...rest, 'b.bias': { shape: [2], data: new Float32Array(2) } });
    const report = await loadWeights(file, targets(), { fresh, strict: false, mustHavePlace: () => true });
    expect(values()).toEqual([loaded[0], untouched[1], loaded[2], untouched[3]]);
    expect(report).toMatchObject({ loaded: ['a.weight', 'b.weight'], missing: ['a.bias', 'b.bias'] });
  });

  it('fills with a number what may be missing', async () => {
    const { 'a.bias': _, ...rest } = arrays();
    const optional = { 1: { ...asIs('a.bias', [2]), otherwise: 1 } };
    const report = await loadWeights(memoryWeights(rest), targets(optional), { fresh });
    expect(values()).toEqual([loaded[0], [1, 1], loaded[2], loaded[3]]);
    expect(report.missing).toEqual(['a.bias']);
    const misshapen = memoryWeights({ ...rest, 'a.bias': { shape: [3], data: new Float32Array(3) } });
    expect((await failure(misshapen, targets(optional), { fresh })).message).toContain('of another shape');
  });

  it('resizes what may come in another shape, and says so', async () => {
    const resize = {
      accepts: ([size]: readonly number[]) => size === 4,
      apply: ({ data }: { data: ArrayLike<number> }) => Float32Array.of(data[0]!, data[3]!),
    };
    const file = (size: number) =>
      memoryWeights({
        ...arrays(),
        'a.bias': { shape: [size], data: Float32Array.from({ length: size }, (_, i) => i) },
      });
    const to = () => targets({ 1: { ...asIs('a.bias', [2]), resize } });
    const report = await loadWeights(file(4), to(), { fresh });
    expect(values()[1]).toEqual([0, 3]);
    expect(report.resized).toEqual(['a.bias']);
    expect((await loadWeights(file(2), to(), { fresh })).resized).toEqual([]);
    expect(values()[1]).toEqual([0, 1]);
    expect(await failure(file(5), to(), { fresh })).toBeInstanceOf(WeightsMismatchError);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('refuses %s', async (bad) => {
    for (const at of [0, 1, 5]) {
      const given = arrays();
      given['a.weight'].data[at] = bad;
      const error = await failure(memoryWeights(given), targets(), { fresh });
      expect(error).toBeInstanceOf(WeightsMismatchError);
      expect(error.message).toContain("tensor 'a.weight' holds numbers that are not finite");
      expect(error.message).toContain(`${bad} at position ${at} of 6`);
    }
    expect(values()).toEqual(untouched);
  });
});

it('an error at the last weight leaves a model unchanged, unless it is fresh', async () => {
  const given = arrays();
  given['b.bias'].data[0] = Number.NaN;
  await failure(memoryWeights(given), targets());
  expect(values()).toEqual(untouched);
  await failure(memoryWeights(given), targets(), { fresh: true });
  expect(values()).toEqual([...loaded.slice(0, 3), untouched[3]]);
});

it('an error of reading goes through, and leaves the model unchanged', async () => {
  const file = memoryWeights(arrays());
  const broken = {
    ...file,
    read: (name: string) =>
      name === 'b.bias' ? Promise.reject(new WeightFileError({ what: 'damaged' })) : file.read(name),
  };
  expect(await failure(broken, targets())).toBeInstanceOf(WeightFileError);
  expect(values()).toEqual(untouched);
});

it('of many names it shows some', async () => {
  const file = memoryWeights({}, { name: 'it' });
  const many = Array.from({ length: 20 }, (_, i) => asIs(`w${i}`, [1]));
  const variable = model.weights[3]!;
  const error = await failure(
    file,
    many.map((source) => ({ variable, source })),
  );
  expect(error.message).toContain('20 missing: w0, w1, w2, w3, w4, w5, w6, w7, …');
});

it('weights keep their values where the memory of a file is used again', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'e3va-scratch-')), 'weights.safetensors');
  const shapes: Record<string, number[]> = { a: [4, 3], b: [3, 4], c: [12], d: [2, 1] };
  const tensors = Object.entries(shapes).map(([name, shape], t) => {
    const size = shape.reduce((x, y) => x * y, 1);
    return [name, { shape, data: Float32Array.from({ length: size }, (_, i) => 100 * t + i) }] as const;
  });
  writeFileSync(path, encodeSafetensors(Object.fromEntries(tensors)));
  const file = await openWeights(path);
  const kept = await file.read('a');

  const deep = sequential({
    layers: [
      layers.dense({ units: 4, inputShape: [3], useBias: false }),
      layers.dense({ units: 3, useBias: false }),
      layers.dense({ units: 12 }),
      layers.dense({ units: 2 }),
    ],
  });
  const [a, b, , c, , d] = deep.weights;
  const sources = [linear('a', [3, 4]), linear('b', [4, 3]), asIs('c', [12]), reshaped('d', [2, 1])];
  const targets = [a, b, c, d].map((variable, i) => ({ variable: variable!, source: sources[i]! }));
  await loadWeights(file, targets, { fresh: true }); // the cpu backend keeps the arrays that it is given
  expect(targets.map(({ variable }) => [...variable.read().dataSync()])).toEqual([
    [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11],
    [100, 104, 108, 101, 105, 109, 102, 106, 110, 103, 107, 111],
    Array.from({ length: 12 }, (_, i) => 200 + i),
    [300, 301],
  ]);
  expect([...kept.data]).toEqual(Array.from({ length: 12 }, (_, i) => i));
  deep.dispose();
  await file.close();
  rmSync(dirname(path), { recursive: true });
});
