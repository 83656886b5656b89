import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../test/backends.ts';
import {
  compare,
  type Input,
  numbers,
  numericGradients,
  type Op,
  size,
  valueAndGradients,
} from '../test/numbers.ts';
import { ShapeError } from './errors.ts';
import { batchNormTraining, layerNorm } from './norm.ts';

/** The same normalisations in plain operations, for tfjs to differentiate. */
function plain(axis: number, epsilon: number): Op {
  return (x, gamma, beta) => {
    const channels = x.shape[x.rank - 1]!;
    const rows = tf.reshape(x, [-1, channels]);
    const centred = tf.sub(rows, tf.mean(rows, axis, true));
    const variance = tf.mean(tf.square(centred), axis, true);
    const y = tf.div(centred, tf.sqrt(tf.add(variance, epsilon)));
    return tf.reshape(tf.add(tf.mul(y, gamma), beta), x.shape);
  };
}

const inputsOf = (shape: number[]): Input[] => {
  const channels = shape[shape.length - 1]!;
  return [shape, [channels], [channels]].map((s, i) => ({ shape: s, data: numbers(size(s), i + 3) }));
};

describeOnBackends('normalisation', () => {
  test.each([
    ['layerNorm', [7, 5], -1],
    ['layerNorm', [2, 3, 4, 12], -1],
    ['layerNorm', [8], -1],
    ['batchNormTraining', [9, 5], 0],
    ['batchNormTraining', [2, 5, 3, 8], 0],
  ] as const)('%s of %j: values and gradients', (name, shape, axis) => {
    const op: Op =
      name === 'layerNorm'
        ? (x, gamma, beta) => layerNorm(x, gamma, beta, 1e-3)
        : (x, gamma, beta) => batchNormTraining(x, gamma, beta, 1e-3).y;
    const inputs = inputsOf([...shape]);
    const before = tf.memory().numTensors;
    const got = valueAndGradients(op, inputs);
    const wanted = valueAndGradients(plain(axis, 1e-3), inputs);
    expect(compare(got.value, wanted.value).difference).toBeLessThan(5e-6);
    for (const [i, g] of got.gradients.entries()) {
      expect(compare(g, wanted.gradients[i]!).difference, `input ${i}`).toBeLessThan(2e-5);
    }
    expect(tf.memory().numTensors).toBe(before);
    // normalising removes the row's mean and scale: larger steps than for linear operations are too coarse
    for (const [i, derivatives] of numericGradients(op, inputs, 3e-3).entries()) {
      for (const [at, derivative] of derivatives) expect(got.gradients[i]![at]).toBeCloseTo(derivative, 1);
    }
  });

  test('layerNorm holds the normalised input and one number a row', () => {
    const [x, gamma, beta] = inputsOf([6, 10]).map(({ data, shape }) => tf.tensor(data, shape)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    let held = 0;
    const grads = tf.grads((x, gamma, beta) => {
      const before = tf.memory().numTensors;
      const y = layerNorm(x!, gamma!, beta!);
      held = tf.memory().numTensors - before - 1;
      return y;
    })([x, gamma, beta]);
    expect(held).toBe(3); // and gamma
    tf.dispose([x, gamma, beta, grads]);
  });

  test('the statistics of batchNormTraining: mean and biased variance, off the tape', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([
        [1, 2],
        [3, 6],
        [5, 1],
      ]);
      const [gamma, beta] = [tf.ones([2]), tf.zeros([2])];
      const { mean, variance } = batchNormTraining(x, gamma, beta);
      expect([...mean.dataSync()]).toEqual([3, 3]);
      expect(compare(variance.dataSync(), [8 / 3, 14 / 3]).difference).toBeLessThan(1e-6);
      const dx = tf.grad((x) => {
        const { y, mean, variance } = batchNormTraining(x, gamma, beta);
        return tf.add(tf.sum(tf.mul(y, 0)), tf.sum(tf.mul(mean, variance)));
      });
      expect([...dx(x).dataSync()].every((v) => v === 0)).toBe(true);
    });
  });

  test('equal inputs give the offset, not NaN', () => {
    tf.tidy(() => {
      const [x, gamma, beta] = [tf.fill([3, 4], 7), tf.ones([4]), tf.tensor1d([1, 2, 3, 4])];
      const y = layerNorm(x, gamma, beta).dataSync();
      expect([...y]).toEqual([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
    });
  });

  test('a scale or an offset of another length is named', () => {
    tf.tidy(() => {
      const x = tf.ones([2, 4]);
      const three = tf.ones([3]);
      const four = tf.ones([4]);
      expect(() => layerNorm(x, three, four)).toThrow(ShapeError);
      expect(() => layerNorm(x, four, tf.ones([1, 4]))).toThrow(/received: gamma \[4\], beta \[1,4\]/);
      expect(() => batchNormTraining(x, four, three)).toThrow(
        /batchNormTraining.*\n.*gamma \[4\], beta \[4\]/,
      );
    });
  });
});
