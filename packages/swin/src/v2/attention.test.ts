import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { input } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkLayer, type LayerCase } from '../../test/contract.ts';
import { backends, draw, maxDifference, useBackend } from '../../test/helpers.ts';
import { attentionOracle, relativeIndex } from '../../test/oracles.ts';
import { CosineWindowAttention, cosineAttention } from './attention.ts';
import { continuousPositionBias } from './position-bias.ts';

const layers: LayerCase[] = [
  {
    name: 'CosineWindowAttention, shifted, pretrained at another window',
    make: () => new CosineWindowAttention({ heads: 2, window: 3, shift: 1, pretrainedWindow: 2 }),
    shapes: [
      [8, 9, 12],
      [2, 5, 4, 7],
    ],
    config: { heads: 2, window: 3, shift: 1, pretrainedWindow: 2 },
    shapeOnly: [1],
  },
  {
    name: 'CosineWindowAttention, unshifted',
    make: () => new CosineWindowAttention({ heads: 1, window: 2 }),
    shapes: [
      [6, 4, 9],
      [1, 4, 5, 3],
    ],
    config: { heads: 1, window: 2, shift: 0, pretrainedWindow: 2 },
    shapeOnly: [1],
  },
];

/** Rows of `size` numbers, each divided by its length. */
function normalised(rows: ArrayLike<number>, size: number): number[] {
  const values = Array.from(rows);
  return values.map((value, i) => {
    const row = values.slice(i - (i % size), i - (i % size) + size);
    return value / Math.hypot(...row);
  });
}

describe.each(backends)('cosine attention on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it.each([
    { heads: 1, depth: 4, images: 1, masked: false },
    { heads: 3, depth: 2, images: 2, masked: true },
  ])(
    'equals the loops, scales clamped: $heads heads of $depth, $images images, mask $masked',
    ({ heads, depth, images, masked }) => {
      const [each, tokens] = [2, 4];
      const windows = images * each;
      tf.tidy(() => {
        const qkv = draw([windows, tokens, 3 * heads * depth], 1) as tf.Tensor3D;
        const scale = tf.tensor1d([5, 0.7, -1].slice(0, heads)); // the first is beyond log 100
        const bias = draw([heads, tokens ** 2], 2) as tf.Tensor2D;
        const mask = tf.mul(tf.greater(draw([each, tokens ** 2], 3), 0.5), -100) as tf.Tensor2D;
        const [b, m, s] = [bias.dataSync(), mask.dataSync(), scale.dataSync()];
        const cosines = normalised(qkv.dataSync(), depth);
        // the oracle divides by √depth and takes values from the same array: queries are scaled, values put back
        const values = qkv.dataSync();
        const width = 3 * heads * depth;
        const prepared = cosines.map((cosine, i) => {
          const channel = i % width;
          const head = Math.floor((channel % (heads * depth)) / depth);
          if (channel < heads * depth) return cosine * Math.min(100, Math.exp(s[head]!)) * Math.sqrt(depth);
          return channel < 2 * heads * depth ? cosine : values[i]!;
        });
        const offset = (n: number, h: number, i: number, j: number) =>
          b[(h * tokens + i) * tokens + j]! + (masked ? m[((n % each) * tokens + i) * tokens + j]! : 0);
        const expected = attentionOracle(prepared, [windows, tokens, heads, depth], offset);
        const got = cosineAttention(qkv, scale, bias, masked ? mask : undefined);
        expect(maxDifference(got, tf.tensor(expected, [windows, tokens, heads * depth]))).toBeLessThan(2e-5);
      });
    },
  );

  it('gives zero vectors, the keys of padding, a cosine of zero and finite gradients', () => {
    tf.tidy(() => {
      const shape: [number, number, number] = [1, 4, 6];
      const qkv = tf.mul(draw(shape, 1), tf.tensor([1, 1, 0, 1], [1, 4, 1])) as tf.Tensor3D;
      const scale = tf.tensor1d([2]);
      const bias = tf.zeros<tf.Rank.R2>([1, 16]);
      const weights = draw([1, 4, 2], 2);
      const { value, grad } = tf.valueAndGrad((x) =>
        tf.sum(tf.mul(cosineAttention(x as tf.Tensor3D, scale, bias), weights)),
      )(qkv);
      expect(Number.isFinite(value.dataSync()[0])).toBe(true);
      expect([...grad.dataSync()].every(Number.isFinite)).toBe(true);
      const third = tf.slice(cosineAttention(qkv, scale, bias), [0, 2, 0], [1, 1, 2]); // a zero query sees all alike
      expect(maxDifference(third, tf.mean(tf.slice(qkv, [0, 0, 4], [1, 4, 2]), 1, true))).toBeLessThan(1e-6);
    });
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [3, 1],
    [4, 6],
  ])('equals the network on log-spaced distances, window %i pretrained at %i', (window, pretrained) => {
    tf.tidy(() => {
      const [units, heads] = [5, 2];
      const network = {
        hidden: draw([2, units], 1) as tf.Tensor2D,
        bias: draw([units], 2) as tf.Tensor1D,
        out: draw([units, heads], 3) as tf.Tensor2D,
      };
      const [hidden, bias, out] = [network.hidden, network.bias, network.out].map((t) => t.dataSync());
      const spaced = (d: number) => {
        const part = (8 * Math.abs(d)) / (pretrained === 1 ? 1 : pretrained - 1);
        return (Math.sign(d) * Math.log(1 + part)) / Math.log(8);
      };
      const expected = [0, 1].flatMap((h) =>
        relativeIndex(window).map((row) => {
          const span = 2 * window - 1;
          const dy = spaced(Math.floor(row / span) - window + 1);
          const dx = spaced((row % span) - window + 1);
          let sum = 0;
          for (let u = 0; u < units; u++) {
            sum +=
              Math.max(0, dy * hidden![u]! + dx * hidden![units + u]! + bias![u]!) * out![u * heads + h]!;
          }
          return 16 / (1 + Math.exp(-sum));
        }),
      );
      const got = continuousPositionBias(network, window, pretrained);
      expect(maxDifference(got, tf.tensor2d(expected, [heads, window ** 4]))).toBeLessThan(2e-5);
    });
  });

  it.each(layers)('keeps the contract of a layer: $name', (layer) => checkLayer(layer));
});

it('heads that do not divide the channels are an error that names the layer', () => {
  const layer = new CosineWindowAttention({ name: 'x.core', heads: 5, window: 2 });
  const inputs = [input({ shape: [4, 12] }), input({ shape: [2, 2, 4] })];
  expect(() => layer.apply(inputs)).toThrow(ShapeError);
  expect(() => layer.apply(inputs)).toThrow(/x\.core.*\n.*multiple of 3 \* 5 channels\n.*12/);
});
