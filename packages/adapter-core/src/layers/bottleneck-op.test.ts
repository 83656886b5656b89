import { layerNorm, registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { maxDifference } from '../../test/tiny-model.ts';
import { addProjection, bottleneck } from './bottleneck-op.ts';
import { scaledNormProjection } from './mona-op.ts';

let seed = 1;
const draw = (shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', seed++);

/** Result and gradients of an operation beside those of an oracle in plain operations. */
function compare(given: tf.Tensor[], ours: (...t: tf.Tensor[]) => tf.Tensor, oracle: typeof ours): void {
  const y = oracle(...given);
  expect(maxDifference(ours(...given), y)).toBeLessThan(1e-4);
  const g = draw(y.shape);
  const gradients = (fn: typeof ours) => tf.grads((...t) => tf.sum(tf.mul(fn(...t), g)))(given);
  const expected = gradients(oracle);
  gradients(ours).forEach((gradient, i) => {
    expect(maxDifference(gradient, expected[i]!)).toBeLessThan(2e-4);
  });
}

const exactGelu = (x: tf.Tensor) => tf.mul(x, tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5));

describe.each(['cpu', 'wasm'])('on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
  });

  it.each([
    { activation: 'gelu', scale: 1, ranks: [], dropped: false },
    { activation: 'relu', scale: 0.1, ranks: [], dropped: true },
    { activation: 'gelu', scale: 2, ranks: [2], dropped: true },
  ] as const)(
    'bottleneck with $activation, scale $scale, inner ranks $ranks',
    ({ activation, scale, ranks, dropped }) => {
      const before = tf.memory().numTensors;
      tf.tidy(() => {
        const [channels, width] = [4, 3];
        const sizes = (from: number, to: number) => [from, ...ranks, to];
        const factors = (list: number[]) => list.slice(1).map((to, i) => draw([list[i]!, to]));
        const [down, up] = [factors(sizes(channels, width)), factors(sizes(width, channels))];
        const mask = dropped
          ? (tf.dropout(tf.ones([10, width]), 0.4, undefined, 5) as tf.Tensor2D)
          : undefined;
        const given = [
          draw([2, 5, channels]),
          draw([2, 5, channels]),
          ...down,
          draw([width]),
          ...up,
          draw([channels]),
        ];
        const n = down.length;
        const parts = (w: tf.Tensor[]) => ({
          down: { factors: w.slice(0, n) as tf.Tensor2D[], bias: w[n] as tf.Tensor1D },
          up: { factors: w.slice(n + 1, -1) as tf.Tensor2D[], bias: w.at(-1) as tf.Tensor1D },
        });
        const project = (x: tf.Tensor, list: tf.Tensor2D[], bias: tf.Tensor) =>
          tf.add(
            list.reduce((t, factor) => tf.matMul(t as tf.Tensor2D, factor), x),
            bias,
          );
        compare(
          given,
          (y, x, ...w) => bottleneck(y!, x!, parts(w), { activation, scale, mask }),
          (y, x, ...w) => {
            const { down, up } = parts(w);
            const h = project(tf.reshape(x!, [10, channels]), down.factors, down.bias);
            const active = activation === 'gelu' ? exactGelu(h) : tf.relu(h);
            const change = project(mask ? tf.mul(active, mask) : active, up.factors, up.bias);
            return tf.add(y!, tf.mul(tf.reshape(change, y!.shape), scale));
          },
        );
      });
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('bottleneck with y and x the same tensor: the gradient is the sum of both', () => {
    tf.tidy(() => {
      const weights = {
        down: { factors: [draw([4, 3]) as tf.Tensor2D], bias: draw([3]) as tf.Tensor1D },
        up: { factors: [draw([3, 4]) as tf.Tensor2D], bias: draw([4]) as tf.Tensor1D },
      };
      const numbers = { activation: 'gelu', scale: 1 } as const;
      const x = draw([2, 4]);
      const one = tf.grad((x) => tf.sum(bottleneck(x, x, weights, numbers)))(x);
      const two = tf.grads((y, x) => tf.sum(bottleneck(y!, x!, weights, numbers)))([x, tf.clone(x)]);
      expect(maxDifference(one, tf.addN(two))).toBeLessThan(1e-6);
    });
  });

  it('addProjection', () => {
    tf.tidy(() => {
      const given = [draw([2, 5, 4]), draw([10, 3]), draw([3, 4]), draw([4])];
      compare(
        given,
        (y, x, k, b) =>
          addProjection(y!, x as tf.Tensor2D, { factors: [k as tf.Tensor2D], bias: b as tf.Tensor1D }),
        (y, x, k, b) =>
          tf.add(y!, tf.reshape(tf.add(tf.matMul(x as tf.Tensor2D, k as tf.Tensor2D), b!), y!.shape)),
      );
    });
  });

  it('scaledNormProjection', () => {
    tf.tidy(() => {
      const vectors = Array.from({ length: 4 }, () => draw([5]));
      const given = [draw([2, 3, 2, 5]), ...vectors, draw([5, 3]), draw([3])];
      compare(
        given,
        (x, ...w) => {
          const [gamma, beta, scaleNorm, scaleInput] = w as tf.Tensor1D[] as [
            tf.Tensor1D,
            tf.Tensor1D,
            tf.Tensor1D,
            tf.Tensor1D,
          ];
          const [kernel, bias] = [w[4] as tf.Tensor2D, w[5] as tf.Tensor1D];
          return scaledNormProjection(x!, { gamma, beta, scaleNorm, scaleInput, kernel, bias }, 1e-5);
        },
        (x, gamma, beta, scaleNorm, scaleInput, kernel, bias) => {
          const mix = tf.add(tf.mul(layerNorm(x!, gamma!, beta!), scaleNorm!), tf.mul(x!, scaleInput!));
          const rows = tf.matMul(tf.reshape(mix, [-1, 5]) as tf.Tensor2D, kernel as tf.Tensor2D);
          return tf.reshape(tf.add(rows, bias!), [2, 3, 2, 3]);
        },
      );
    });
  });
});
