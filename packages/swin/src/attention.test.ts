import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { input } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { backends, draw, maxDifference, useBackend } from '../test/helpers.ts';
import { attentionOracle, relativeIndex } from '../test/oracles.ts';
import { WindowAttention, windowAttention } from './attention.ts';
import { batchedProduct } from './batched-product.ts';
import { entry } from './entry.ts';
import { relativePositionBias } from './relative-bias.ts';

describe.each(backends)('attention on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it.each([
    { heads: 1, depth: 4, images: 1, masked: false },
    { heads: 3, depth: 2, images: 2, masked: true },
    { heads: 2, depth: 1, images: 3, masked: true },
  ])(
    'equals the loops: $heads heads of $depth, $images images, mask $masked',
    ({ heads, depth, images, masked }) => {
      const [each, tokens] = [2, 4];
      const windows = images * each;
      tf.tidy(() => {
        const qkv = draw([windows, tokens, 3 * heads * depth], 1) as tf.Tensor3D;
        const bias = draw([heads, tokens ** 2], 2) as tf.Tensor2D;
        const mask = tf.mul(tf.greater(draw([each, tokens ** 2], 3), 0.5), -100) as tf.Tensor2D;
        const [b, m] = [bias.dataSync(), mask.dataSync()];
        const offset = (n: number, h: number, i: number, j: number) =>
          b[(h * tokens + i) * tokens + j]! + (masked ? m[((n % each) * tokens + i) * tokens + j]! : 0);
        const expected = attentionOracle(qkv.dataSync(), [windows, tokens, heads, depth], offset);
        const got = windowAttention(qkv, heads, bias, masked ? mask : undefined);
        expect(maxDifference(got, tf.tensor(expected, [windows, tokens, heads * depth]))).toBeLessThan(2e-6);
      });
    },
  );

  it.each([1, 2, 3, 7])(
    'reads the bias table by relative position, window %i, forward and backward',
    (window) => {
      tf.tidy(() => {
        const heads = 2;
        const table = draw([(2 * window - 1) ** 2, heads], 1) as tf.Tensor2D;
        const index = relativeIndex(window);
        const values = table.dataSync();
        const bias = relativePositionBias(table, window);
        const gathered = [0, 1].flatMap((h) => index.map((row) => values[row * heads + h]!));
        expect([...bias.dataSync()]).toEqual(gathered);

        const dy = draw(bias.shape, 2);
        const gradient = tf.grad((t) => tf.sum(tf.mul(relativePositionBias(t as tf.Tensor2D, window), dy)))(
          table,
        );
        const scattered = new Float32Array(table.size);
        const d = dy.dataSync();
        for (let h = 0; h < heads; h++) {
          index.forEach((row, pair) => {
            scattered[row * heads + h]! += d[h * index.length + pair]!;
          });
        }
        expect(maxDifference(gradient, tf.tensor(scattered, table.shape))).toBeLessThan(1e-5);
      });
    },
  );

  it.each([
    { a: [6, 5, 3], b: [6, 3, 4], transposeB: false },
    { a: [6, 5, 3], b: [6, 4, 3], transposeB: true },
    { a: [1, 1, 1], b: [1, 1, 1], transposeB: true },
    { a: [40, 49, 32], b: [40, 49, 32], transposeB: true },
    { a: [2, 144, 17], b: [2, 17, 9], transposeB: false },
  ])('batchedProduct $a $b equals matMul, forward and backward', ({ a, b, transposeB }) => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const [x, y] = [draw(a, 1), draw(b, 2)] as [tf.Tensor3D, tf.Tensor3D];
      const plain = (x: tf.Tensor, y: tf.Tensor) => tf.matMul(x, y, false, transposeB);
      const ours = (x: tf.Tensor, y: tf.Tensor) =>
        batchedProduct(x as tf.Tensor3D, y as tf.Tensor3D, transposeB) as tf.Tensor;
      const dy = draw(plain(x, y).shape, 3);
      expect(maxDifference(ours(x, y), plain(x, y))).toBeLessThan(2e-5);
      const expected = tf.grads(plain)([x, y], dy);
      tf.grads(ours)([x, y], dy).forEach((g, i) => {
        expect(maxDifference(g, expected[i]!)).toBeLessThan(5e-5);
      });
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('entry picks one entry of the first axis, and its gradient pads', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const x = draw([3, 4, 5, 2], 1) as tf.Tensor4D;
      const dy = draw([4, 5, 2], 2);
      for (const index of [0, 1, 2]) {
        expect([...entry(x, index).dataSync()]).toEqual([
          ...x.dataSync().slice(index * 40, (index + 1) * 40),
        ]);
        const padded = new Float32Array(120);
        padded.set(dy.dataSync(), index * 40);
        expect([
          ...tf
            .grad((t) => entry(t as tf.Tensor4D, index))(x, dy)
            .dataSync(),
        ]).toEqual([...padded]);
      }
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('heads that do not divide the channels are an error that names the layer', () => {
  const layer = new WindowAttention({ name: 'x.core', heads: 5, window: 2 });
  const inputs = [input({ shape: [4, 12] }), input({ shape: [2, 2, 4] })];
  expect(() => layer.apply(inputs)).toThrow(ShapeError);
  expect(() => layer.apply(inputs)).toThrow(/x\.core.*\n.*multiple of 3 \* 5 channels\n.*12/);
});
