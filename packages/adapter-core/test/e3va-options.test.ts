import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { input, layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Adapted,
  adapt,
  adaptLayer,
  type E3vaOptions,
  e3va,
  MethodLayerError,
  MethodOptionError,
  TapError,
} from '../src/index.ts';
import { reload } from './reload.ts';
import { maxDifference, tinyBackbone, tinyChain, weightBytes } from './tiny-model.ts';

const images = () => tf.randomNormal([2, 20, 28, 3], 0, 1, 'float32', 5);

const options: [string, E3vaOptions][] = [
  ['mixing', { mixing: 'depthwise3x3' }],
  ['mixing, pkq', { mixing: 'depthwise3x3', form: 'pkq', beta: 3 }],
  ['mixing, pool-project', { mixing: 'depthwise3x3', transition: 'pool-project' }],
  ['svd', { init: 'svd' }],
  ['svd, pkq', { init: 'svd', form: 'pkq', beta: 3 }],
  ['orthogonal', { orthogonal: 0.1 }],
  ['int16', { savedTaps: 'int16' }],
  ['int8', { savedTaps: 'int8' }],
  ['recompute', { savedTaps: 'recompute' }],
  ['recompute, one level', { savedTaps: 'recompute', levels: [1] }],
  ['feedback 1', { feedback: 1 }],
  ['feedback of all', { feedback: 9 }],
  ['feedback, int8', { feedback: 1, savedTaps: 'int8' }],
  ['feedback, recompute', { feedback: 2, savedTaps: 'recompute' }],
];

/** Weights that all do something, the same at each call. */
function stir(adapted: Adapted): void {
  adapted.trainableWeights.forEach((w, i) => {
    const drawn = tf.randomNormal(w.shape as number[], 0, 0.3, 'float32', i + 1);
    w.write(/gamma$/.test(w.originalName) ? tf.add(drawn, 1) : drawn);
  });
}

/** Σ mean(level²), to which the gradient is taken. */
const lossOf = (adapted: Adapted, x: tf.Tensor) =>
  tf.tidy(() => tf.addN(adapted.apply(x, { training: true }).map((y) => tf.mean(tf.square(y)))) as tf.Scalar);

function gradients(adapted: Adapted, x: tf.Tensor): tf.Tensor[] {
  const variables = adapted.trainableWeights.map((w) => w.read() as tf.Variable);
  const { grads, value } = tf.variableGrads(() => lossOf(adapted, x), variables);
  value.dispose();
  return variables.map((v) => grads[v.name]!);
}

const norm = (list: tf.Tensor[]) =>
  Math.sqrt(list.reduce((sum, t) => sum + tf.sum(tf.square(t)).dataSync()[0]!, 0));

/** ‖a − b‖ / ‖b‖ over all tensors together. */
const relative = (a: tf.Tensor[], b: tf.Tensor[]) => norm(a.map((t, i) => tf.sub(t, b[i]!))) / norm(b);

describe.each(['cpu', 'wasm'])('options of e3va on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
  });

  it.each(options)('%s: fresh as the base, fit lowers the loss, the base stays', async (_, option) => {
    const base = tinyBackbone();
    const before = weightBytes(base);
    const adapted = adapt(base, e3va({ rank: 2, ...option }));
    const x = images();
    tf.tidy(() => {
      const own = base.predict(x) as tf.Tensor[];
      const chosen = (option.levels ?? [0, 1]).map((i) => own[i]!);
      const joined = [adapted.model.predict(x) as tf.Tensor | tf.Tensor[]].flat();
      adapted.apply(x).forEach((level, i) => {
        expect(maxDifference(level, chosen[i]!)).toBeLessThan(2e-6);
        expect(maxDifference(joined[i]!, level)).toBeLessThan(1e-6);
      });
    });
    const targets = adapted.apply(x).map((y) => tf.zerosLike(y));
    const loss = (target: tf.Tensor, y: tf.Tensor) => tf.mean(tf.square(tf.sub(y, target)));
    adapted.model.compile({ optimizer: tf.train.adam(0.02), loss });
    const train = async () => {
      const y = targets.length > 1 ? targets : targets[0]!;
      const { history } = await adapted.model.fit(x, y, { epochs: 1, batchSize: 2, verbose: 0 });
      return history.loss![0] as number;
    };
    const first = await train();
    const held = tf.memory().numTensors;
    for (let i = 0; i < 4; i++) await train();
    expect(await train()).toBeLessThan(first);
    expect(tf.memory().numTensors).toBe(held);
    expect(weightBytes(base)).toEqual(before);
    adapted.dispose();
  });

  it.each(options)('%s: the gradient is that of finite differences', (_, option) => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2, ...option }));
    stir(adapted);
    const x = images();
    const before = tf.memory().numTensors;
    const grads = gradients(adapted, x);
    adapted.trainableWeights.forEach((w, i) => {
      const at = Math.floor(w.shape.reduce<number>((n, size) => n * size!, 1) / 2);
      const kept = w.read().dataSync().slice();
      const moved = (delta: number) => {
        const values = kept.slice();
        values[at]! += delta;
        tf.tidy(() => {
          w.write(tf.tensor(values, w.shape as number[]));
        });
        return tf.tidy(() => lossOf(adapted, x).dataSync()[0]!);
      };
      const numeric = (moved(0.01) - moved(-0.01)) / 0.02;
      moved(0);
      const gradient = grads[i]!.dataSync()[at]!;
      expect(Math.abs(gradient - numeric), w.originalName).toBeLessThan(3e-3 + 0.02 * Math.abs(numeric));
    });
    tf.dispose(grads);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    ['recompute', 1e-5],
    ['int16', 1e-4],
    ['int8', 0.01],
  ] as const)('saved taps %s: adapter gradients are the exact ones to %f', (savedTaps, limit) => {
    const base = tinyBackbone();
    const x = images();
    const all = (['fp32', savedTaps] as const).map((saved) => {
      const adapted = adapt(base, e3va({ rank: 2, savedTaps: saved }));
      stir(adapted);
      return { grads: gradients(adapted, x), levels: adapted.apply(x) };
    });
    tf.tidy(() => {
      expect(relative(all[1]!.grads, all[0]!.grads)).toBeLessThan(limit);
      expect(relative(all[1]!.levels, all[0]!.levels)).toBeLessThan(limit);
    });
  });

  it.each(options)('%s: the joined model is saved and loaded', async (_, option) => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2, ...option }));
    stir(adapted);
    const loaded = await reload(adapted.model);
    tf.tidy(() => {
      const x = images();
      const again = [loaded.predict(x) as tf.Tensor | tf.Tensor[]].flat();
      adapted.apply(x).forEach((level, i) => {
        expect(maxDifference(level, again[i]!)).toBeLessThan(1e-6);
      });
    });
    expect(loaded.trainableWeights.length).toBe(adapted.trainableWeights.length);
  });

  it('orthogonal: fit adds the loss, and it makes the factors orthonormal', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2, orthogonal: 10, levels: [1] }));
    const off = () =>
      tf.tidy(() => tf.addN(adapted.highway.calculateLosses() as tf.Scalar[]).dataSync()[0]! / 10);
    const start = off();
    const x = images();
    const y = tf.zerosLike(adapted.model.predict(x) as tf.Tensor);
    adapted.model.compile({ optimizer: tf.train.adam(0.02), loss: 'meanSquaredError' });
    await adapted.model.fit(x, y, { epochs: 30, verbose: 0 });
    expect(off()).toBeLessThan(0.1 * start);
  });
});

describe('options of e3va', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('on a layer alone: mixing, svd and the orthogonal loss; no other form of saved taps, no feedback', () => {
    const conv = () => layers.conv2d({ name: 'conv', filters: 4, kernelSize: 1 });
    const inputs = input({ shape: [3, 3, 4] });
    const option = { rank: 2, mixing: 'depthwise3x3', init: 'svd', orthogonal: 0.5 } as const;
    const before = tf.memory().numTensors;
    const outputs = adaptLayer(conv(), e3va(option)).apply(inputs) as SymbolicTensor;
    const single = model({ inputs, outputs });
    const start = tf.memory().numTensors;
    const q = single.trainableWeights.filter((w) => w.originalName.endsWith('_q'));
    expect(q.length).toBe(2);
    tf.tidy(() => {
      const losses = () => tf.addN(single.calculateLosses() as tf.Scalar[]).dataSync()[0]!;
      // from svd the columns are orthonormal; twice as long, each of the 2 · 2 diagonal entries of qᵀq is off by 3
      expect(losses()).toBeLessThan(1e-9);
      for (const w of q) w.write(tf.mul(w.read(), 2));
      expect(losses()).toBeCloseTo(0.5 * 4 * 9, 4);
    });
    expect(tf.memory().numTensors).toBe(start);
    single.dispose();
    for (const other of [{ savedTaps: 'int8' }, { savedTaps: 'recompute' }, { feedback: 1 }] as const) {
      expect(() => adaptLayer(conv(), e3va(other))).toThrow(MethodLayerError);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('what cannot be is refused, with nothing left behind', () => {
    expect(() => e3va({ savedTaps: 'fp8' as 'int8' })).toThrow(MethodOptionError);
    expect(() => e3va({ orthogonal: -1 })).toThrow(MethodOptionError);
    expect(() => e3va({ feedback: 1.5 })).toThrow(MethodOptionError);
    const chain = tinyChain();
    const before = tf.memory().numTensors;
    for (const option of [{ savedTaps: 'int8' }, { feedback: 1 }] as const) {
      expect(() => adapt(chain, e3va({ taps: /conv/, ...option }))).toThrow(TapError);
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});
