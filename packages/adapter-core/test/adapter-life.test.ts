import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Adapted,
  AdapterFileError,
  AdapterNameError,
  adapt,
  BaseChangedError,
  BaseTrainedError,
  e3va,
  frozen,
  full,
  MergeError,
  TapError,
} from '../src/index.ts';
import { maxDifference, tinyBackbone, tinyChain, weightBytes } from './tiny-model.ts';

const images = () => tf.randomNormal([2, 20, 28, 3], 0, 1, 'float32', 5);

/** Gives an adapter values that do something, different ones for each seed. */
async function stir(adapted: Adapted, name: string, seed: number): Promise<void> {
  const tensors = await adapted.adapterTensors(name);
  Object.values(tensors).forEach(({ data }, at) => {
    for (let i = 0; i < data.length; i++) data[i] = Math.sin(1 + seed * 7 + at * 3 + i) * 0.2;
  });
  adapted.setAdapterTensors(tensors, name);
}

const numbers = (levels: tf.Tensor | tf.Tensor[]) => [levels].flat().map((t) => [...t.dataSync()]);
const predicted = (adapted: Adapted, x: tf.Tensor) =>
  tf.tidy(() => numbers(adapted.model.predict(x) as tf.Tensor | tf.Tensor[]));

describe.each(['cpu', 'wasm'])('named adapters on %s', (backend) => {
  let folder: string;
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
    folder = await mkdtemp(join(tmpdir(), 'e3va-life-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are added, swapped and deleted without building anything anew or losing a tensor', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }), { adapterName: 'cats' });
    const x = images();
    const { model } = adapted;
    await stir(adapted, 'cats', 1);
    const cats = predicted(adapted, x);
    adapted.addAdapter('dogs');
    expect(predicted(adapted, x)).toEqual(cats);
    adapted.setAdapter('dogs');
    expect(adapted.model).toBe(model);
    const fresh = predicted(adapted, x);
    expect(fresh).not.toEqual(cats);
    await stir(adapted, 'dogs', 2);
    const dogs = predicted(adapted, x);
    const before = tf.memory().numTensors;
    for (let i = 0; i < 50; i++) adapted.setAdapter(i % 2 ? 'dogs' : 'cats');
    expect(tf.memory().numTensors).toBe(before);
    expect(adapted.activeAdapter).toBe('dogs');
    expect(predicted(adapted, x)).toEqual(dogs);
    adapted.setAdapter('cats');
    expect(predicted(adapted, x)).toEqual(cats);
    expect(adapted.listAdapters()).toEqual(['cats', 'dogs']);
    adapted.deleteAdapter('dogs');
    expect(adapted.listAdapters()).toEqual(['cats']);
    expect(tf.memory().numTensors).toBe(before - adapted.trainableWeights.length);
  });

  it('fit trains the active adapter alone, by one compilation', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2, levels: [1] }), { adapterName: 'a' });
    adapted.addAdapter('b');
    adapted.model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const x = images();
    const y = tf.zerosLike(adapted.model.predict(x) as tf.Tensor);
    const first = JSON.stringify(await adapted.adapterTensors('b'));
    await adapted.model.fit(x, y, { epochs: 2, verbose: 0 });
    expect(JSON.stringify(await adapted.adapterTensors('b'))).toBe(first);
    const trained = JSON.stringify(await adapted.adapterTensors('a'));
    expect(trained).not.toBe(first);
    adapted.setAdapter('b');
    await adapted.model.fit(x, y, { epochs: 1, verbose: 0 });
    expect(JSON.stringify(await adapted.adapterTensors('a'))).toBe(trained);
    expect(JSON.stringify(await adapted.adapterTensors('b'))).not.toBe(first);
  });

  it.each([
    ['zero', 'zero'],
    ['kaiming', 'kaiming'],
  ] as const)('disableAdapter gives the base back, and then the adapter (%s start)', async (_, init) => {
    const base = tinyBackbone();
    const adapted = adapt(base, e3va({ rank: 2, init }));
    const x = images();
    await stir(adapted, 'default', 1);
    const on = predicted(adapted, x);
    const own = tf.tidy(() => numbers(base.predict(x) as tf.Tensor[]));
    const before = tf.memory().numTensors;
    expect(adapted.disableAdapter(() => predicted(adapted, x))).toEqual(own);
    expect(predicted(adapted, x)).toEqual(on);
    const later = adapted.disableAdapter(async () => {
      await adapted.adapterTensors();
      return tf.tidy(() => numbers(adapted.apply(x)));
    });
    expect(await later).toEqual(own);
    expect(() =>
      adapted.disableAdapter(() => {
        throw new Error('from inside');
      }),
    ).toThrow('from inside');
    expect(predicted(adapted, x)).toEqual(on);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('predictMany equals each own prediction, with one frozen forward, over methods and options', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }), { adapterName: 'a' });
    adapted.addAdapter('b');
    adapted.addAdapter('wide', e3va({ rank: 3 }));
    adapted.addAdapter('norms', frozen());
    const names = adapted.listAdapters();
    for (const [i, name] of names.entries()) await stir(adapted, name, i);
    const x = images();
    const own = names.map((name) => {
      adapted.setAdapter(name);
      return predicted(adapted, x);
    });
    adapted.setAdapter('b');
    const before = tf.memory().numTensors;
    const many = adapted.predictMany(x, names);
    expect(Object.values(many).map(numbers)).toEqual(own);
    tf.dispose(many);
    const heads = adapted.predictMany(x, {
      a: (levels) => tf.mean(levels[0]!),
      wide: (levels) => tf.max(levels[1]!),
    });
    expect(heads.a!.dataSync()[0]).toBeCloseTo(mean(own[0]![0]!), 5);
    expect(heads.wide!.dataSync()[0]).toBeCloseTo(Math.max(...own[2]![1]!), 5);
    tf.dispose(heads);
    expect(tf.memory().numTensors).toBe(before);
    expect(adapted.activeAdapter).toBe('b');
    expect(predicted(adapted, x)).toEqual(own[1]);
  });

  it('trainStep trains each adapter as it would be trained alone', async () => {
    const loss = (levels: tf.Tensor[]) => tf.mean(tf.square(levels[1]!)) as tf.Scalar;
    const x = images();
    const alone = async (rate: number) => {
      const one = adapt(tinyBackbone(), e3va({ rank: 2 }));
      const optimizer = tf.train.adam(rate);
      for (let i = 0; i < 3; i++) await one.trainStep(x, { default: { optimizer, loss } });
      return one.adapterTensors();
    };
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }), { adapterName: 'slow' });
    adapted.addAdapter('fast');
    const head = tf.variable(tf.scalar(1));
    const jobs = {
      slow: { optimizer: tf.train.adam(1e-3), loss },
      fast: { optimizer: tf.train.adam(1e-1), loss },
    };
    const losses: number[] = [];
    let tensors = 0;
    for (let i = 0; i < 3; i++) {
      losses.push((await adapted.trainStep(x, jobs)).fast!);
      if (i === 0) tensors = tf.memory().numTensors;
    }
    expect(tf.memory().numTensors).toBe(tensors);
    expect(losses[2]).toBeLessThan(losses[0]!);
    expect(await adapted.adapterTensors('slow')).toEqual(await alone(1e-3));
    expect(await adapted.adapterTensors('fast')).toEqual(await alone(1e-1));
    await adapted.trainStep(x, {
      fast: {
        optimizer: tf.train.sgd(0.1),
        loss: (levels) => tf.mul(loss(levels), head) as tf.Scalar,
        variables: [head],
      },
    });
    expect(head.dataSync()[0]).not.toBe(1);
  });

  it('trainStep adds the losses of regularisers, as fit does', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }), { adapterName: 'plain' });
    adapted.addAdapter('orthogonal', e3va({ rank: 2, orthogonal: 1 }));
    const loss = (levels: tf.Tensor[]) => tf.mean(tf.square(levels[1]!)) as tf.Scalar;
    const jobs = Object.fromEntries(
      adapted.listAdapters().map((name) => [name, { optimizer: tf.train.sgd(0), loss }]),
    );
    const losses = await adapted.trainStep(images(), jobs);
    adapted.setAdapter('orthogonal');
    const extra = tf.tidy(() => tf.addN(adapted.highway.calculateLosses()).dataSync()[0]!);
    expect(extra).toBeGreaterThan(0.1);
    expect(losses.orthogonal! - losses.plain!).toBeCloseTo(extra, 4);
  });

  it('files: an adapter is loaded beside others, with the options that it was trained with', async () => {
    const path = join(folder, `wide-${backend}`);
    const one = adapt(tinyBackbone(), e3va({ rank: 3, taps: (layer) => /mlp$/.test(layer.name) }));
    await stir(one, 'default', 3);
    await one.saveAdapter(path);
    const x = images();
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }));
    await expect(adapted.loadAdapter(path)).rejects.toThrow(/other options.*|expected: rank 2/s);
    await adapted.loadAdapter(path, { name: 'wide' });
    expect(adapted.activeAdapter).toBe('default');
    adapted.setAdapter('wide');
    expect(adapted.method.config.rank).toBe(3);
    expect(predicted(adapted, x)).toEqual(predicted(one, x));
    await expect(adapted.loadAdapter(path, { name: 'wide' })).rejects.toThrow(AdapterNameError);
    await adapted.saveAdapter(join(folder, 'again'), { name: 'wide' });
    await adapted.loadAdapter(join(folder, 'again'), { name: 'again' });
    expect(await adapted.adapterTensors('again')).toEqual(await one.adapterTensors());
  });

  it('a base whose weights changed is refused, in every use', async () => {
    const base = tinyBackbone();
    const adapted = adapt(base, e3va({ rank: 2 }));
    const layer = base.getLayer('stem');
    layer.setWeights(layer.getWeights().map((w) => tf.mul(w, 2)));
    const x = images();
    expect(() => adapted.apply(x)).toThrow(BaseChangedError);
    expect(() => adapted.predictMany(x, ['default'])).toThrow(/first is stem\/kernel/);
    expect(() => adapted.addAdapter('b')).toThrow(BaseChangedError);
    await expect(adapted.saveAdapter(join(folder, 'never'))).rejects.toThrow(BaseChangedError);
    await expect(adapted.loadAdapter(join(folder, `wide-${backend}`))).rejects.toThrow(BaseChangedError);
  });
});

describe('named adapters', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('names that collide, are unknown or no names are refused, and nothing is left behind', () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }), { adapterName: 'cats' });
    adapted.addAdapter('dogs');
    const before = tf.memory().numTensors;
    expect(() => adapted.addAdapter('cats')).toThrow(/'cats' is there already/);
    expect(() => adapted.addAdapter('')).toThrow(AdapterNameError);
    expect(() => adapted.addAdapter('../x')).toThrow(AdapterNameError);
    expect(() => adapted.setAdapter('cat')).toThrow(/expected: 'cats' or 'dogs'/);
    expect(() => adapted.deleteAdapter('cats')).toThrow(/is active/);
    expect(() => adapted.predictMany(images(), ['cats', 'bird'])).toThrow(AdapterNameError);
    expect(() => adapted.addAdapter('x', e3va({ taps: /nothing/ }))).toThrow(TapError);
    expect(() => adapted.addAdapter('x', full())).toThrow(BaseTrainedError);
    expect(adapted.listAdapters()).toEqual(['cats', 'dogs']);
    expect(tf.memory().numTensors).toBe(before + 1); // the images
  });

  it('a highway cannot be merged, and full cannot be switched off', () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }));
    expect(() => adapted.mergeAdapter()).toThrow(MergeError);
    expect(() => adapted.mergeAndUnload()).toThrow(/e3va.*no weight of the base can stand/s);
    expect(() => adapt(tinyBackbone(), full()).disableAdapter(() => 1)).toThrow(BaseTrainedError);
  });

  it('frozen with trained out-norms merges into a model that gives the same', async () => {
    const base = tinyBackbone();
    const before = weightBytes(base);
    const adapted = adapt(base, frozen());
    await stir(adapted, 'default', 4);
    const merged = adapted.mergeAndUnload();
    const x = images();
    tf.tidy(() => {
      const [a, b] = [adapted.apply(x), merged.predict(x) as tf.Tensor[]];
      a.forEach((level, i) => {
        expect(maxDifference(level, b[i]!)).toBeLessThan(1e-6);
      });
    });
    expect(weightBytes(base)).toEqual(before);
  });

  it.each(['pq', 'pkq', 'pool-project', 'frozen'])(
    'reads an adapter file of version 0.1.0: %s',
    async (name) => {
      const chain = name === 'pool-project';
      const base = chain ? tinyChain() : tinyBackbone();
      const adapted = adapt(base, frozen());
      const file = new URL(`fixtures/adapters-0.1.0/${name}`, import.meta.url).pathname;
      await adapted.loadAdapter(`${file}.safetensors`, { name });
      adapted.setAdapter(name);
      const expected: { shape: number[]; mean: number; square: number }[] = JSON.parse(
        await (await import('node:fs/promises')).readFile(`${file}.json`, 'utf8'),
      );
      const x = tf.randomNormal(chain ? [1, 32, 32, 3] : [1, 8, 12, 3], 0, 1, 'float32', 77);
      const levels = adapted.apply(x).map((level) => ({
        shape: level.shape,
        mean: tf.mean(level).dataSync()[0]!,
        square: tf.mean(tf.square(level)).dataSync()[0]!,
      }));
      levels.forEach(({ shape, mean: m, square }, i) => {
        expect(shape).toEqual(expected[i]!.shape);
        expect(m).toBeCloseTo(expected[i]!.mean, 4);
        expect(square).toBeCloseTo(expected[i]!.square, 4);
      });
      await expect(
        adapt(base, e3va({ rank: 7, taps: /mlp|conv/ })).loadAdapter(`${file}.safetensors`),
      ).rejects.toThrow(AdapterFileError);
    },
  );
});

const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
