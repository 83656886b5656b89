import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { input } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { backends, draw, maxDifference, useBackend } from '../test/helpers.ts';
import { attentionOracle, relativeIndex } from '../test/oracles.ts';
import { WindowAttention, windowAttention } from './attention.ts';
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
});

it('heads that do not divide the channels are an error that names the layer', () => {
  const layer = new WindowAttention({ name: 'x.core', heads: 5, window: 2 });
  const inputs = [input({ shape: [4, 12] }), input({ shape: [2, 2, 4] })];
  expect(() => layer.apply(inputs)).toThrow(ShapeError);
  expect(() => layer.apply(inputs)).toThrow(/x\.core.*\n.*multiple of 3 \* 5 channels\n.*12/);
});
