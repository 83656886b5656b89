import { measure, registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { initializers, layers } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { maxDifference } from '../../test/tiny-model.ts';
import type { Layer } from '../copy-layer.ts';
import { BaseLayer } from './base-layer.ts';

const drawn = (seed: number) => initializers.randomUniform({ minval: 0.5, maxval: 1.5, seed });
const start = { kernelInitializer: drawn(1), biasInitializer: drawn(2) };

const cases: [string, Layer, string[]][] = [
  ['a Dense', layers.dense({ units: 5, activation: 'tanh', ...start }), []],
  ['a Dense with trained bias', layers.dense({ units: 5, ...start }), ['bias']],
  ['a Dense that is trained', layers.dense({ units: 5, ...start }), ['kernel', 'bias']],
  [
    'a Conv2D',
    layers.conv2d({ filters: 5, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu', ...start }),
    [],
  ],
  ['a Conv2D with trained bias', layers.conv2d({ filters: 5, kernelSize: 1, ...start }), ['bias']],
  ['an Add', layers.add(), []],
  [
    'a BatchNormalization',
    layers.batchNormalization({
      gammaInitializer: drawn(3),
      betaInitializer: drawn(4),
      movingMeanInitializer: drawn(5),
      movingVarianceInitializer: drawn(6),
    }),
    [],
  ],
  [
    'a BatchNormalization of rows',
    layers.batchNormalization({ axis: 1, movingVarianceInitializer: drawn(8) }),
    [],
  ],
  [
    'a BatchNormalization that is trained',
    layers.batchNormalization({ movingVarianceInitializer: drawn(9) }),
    ['gamma'],
  ],
];

describe.each(['cpu', 'wasm'])('layers of the base on the tape, on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
  });

  it.each(cases)('%s: result and gradients are those of the layer itself', (name, layer, trained) => {
    tf.tidy(() => {
      const x = tf.randomNormal([2, 5, 6, 4], 0, 1, 'float32', 10);
      const other = tf.randomNormal([2, 5, 6, 4], 0, 1, 'float32', 11);
      const given = (x: tf.Tensor) => (name === 'an Add' ? [x, other, x] : x);
      if (!layer.built) layer.apply(given(x));
      const base = new BaseLayer({ layer, trained });
      base.apply(given(x));
      const own = (x: tf.Tensor) => layer.call(given(x), { training: false }) as tf.Tensor;
      const copied = (x: tf.Tensor) => base.call(given(x), { training: true }) as tf.Tensor;
      expect(maxDifference(copied(x), own(x))).toBeLessThan(1e-6);
      const g = tf.randomNormal(own(x).shape, 0, 1, 'float32', 12);
      const loss = (fn: typeof own) => (x: tf.Tensor) => tf.sum(tf.mul(fn(x), g)) as tf.Scalar;
      expect(maxDifference(tf.grad(loss(copied))(x), tf.grad(loss(own))(x))).toBeLessThan(1e-4);
      const variables = (of: Layer) =>
        trained.map(
          (part) => of.weights.find((w) => w.originalName.endsWith(`/${part}`))!.read() as tf.Variable,
        );
      if (trained.length === 0) return;
      const mine = tf.variableGrads(() => loss(copied)(x), variables(base)).grads;
      const theirs = tf.variableGrads(() => loss(own)(x), variables(layer)).grads;
      variables(base).forEach((v, i) => {
        expect(maxDifference(mine[v.name]!, theirs[variables(layer)[i]!.name]!)).toBeLessThan(1e-3);
      });
    });
  });

  it('a BatchNormalization without a scale has a gradient, which tfjs has not', () => {
    tf.tidy(() => {
      const layer = layers.batchNormalization({ scale: false, movingVarianceInitializer: drawn(7) });
      const x = tf.randomNormal([3, 4], 0, 1, 'float32', 10);
      layer.apply(x);
      const base = new BaseLayer({ layer });
      base.apply(x);
      const unit = tf.rsqrt(tf.add(layer.getWeights().at(-1)! as tf.Tensor, 1e-3));
      const given = tf.grad((x) => tf.sum(base.call(x, {}) as tf.Tensor))(x);
      expect(maxDifference(given, tf.broadcastTo(unit, [3, 4]))).toBeLessThan(1e-6);
    });
  });

  it('a chain of them holds nothing between forward and backward, and computes no gradient of a kernel', async () => {
    const x = tf.randomNormal<tf.Rank.R4>([1, 32, 32, 16], 0, 1, 'float32', 13);
    const plain = Array.from({ length: 6 }, () =>
      layers.conv2d({ filters: 16, kernelSize: 3, padding: 'same' }),
    );
    const light = plain.map((layer) => {
      layer.apply(x);
      const base = new BaseLayer({ layer });
      base.apply(x);
      return base;
    });
    const w = tf.variable(tf.ones([16]));
    const step = (chain: Layer[]) =>
      tf.tidy(() => {
        const last = () =>
          chain.reduce<tf.Tensor>((t, layer) => layer.call(t, {}) as tf.Tensor, tf.mul(x, w));
        return tf.variableGrads(() => tf.mean(last()) as tf.Scalar).grads[w.name]!;
      });
    const grown = async (chain: Layer[]) =>
      (await measure(() => step(chain), { warmUps: 1 })).growthBytes / (4 * x.size);
    // the inputs of the convolutions
    expect((await grown(plain)) - (await grown(light))).toBeGreaterThan(5);
    const { kernelNames } = await tf.profile(() => step(light));
    expect(kernelNames).toContain('Conv2DBackpropInput');
    expect(kernelNames).not.toContain('Conv2DBackpropFilter');
    w.dispose();
  });
});
