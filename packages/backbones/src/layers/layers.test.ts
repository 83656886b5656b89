import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { input } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { expectLayerContract } from '../../../../tests/support/layer-contract.ts';
import { expectClose, normal, onBackends } from '../../../../tests/support/tensors.ts';
import { SelfAttention, selfAttention } from './attention.ts';
import { Gelu } from './gelu.ts';
import { PatchConv, patchConv } from './patch-conv.ts';
import { Scale } from './scale.ts';
import { UpConv, upConv } from './up-conv.ts';

onBackends('the layers of backbones', () => {
  it('keep the layer contract', async () => {
    const map = [[2, 5, 4, 6]];
    await expectLayerContract(new PatchConv({ name: 'crop', filters: 3, size: 2 }), map);
    await expectLayerContract(new PatchConv({ name: 'pad', filters: 3, size: 3, edge: 'pad' }), map);
    await expectLayerContract(new Scale({ name: 'scale', initial: 0.5 }), map);
    await expectLayerContract(new Gelu({ name: 'gelu' }), map);
    await expectLayerContract(new UpConv({ name: 'up', filters: 3, seed: 5 }), map);
  });

  it('convolve patches as a convolution without padding does', () => {
    const x = normal<tf.Rank.R4>([2, 7, 6, 3], 1);
    const kernel = normal<tf.Rank.R4>([3, 3, 3, 5], 2);
    // rows of our matrix: column of the patch, row of the patch, channel
    const matrix = tf.reshape(tf.transpose(kernel, [1, 0, 2, 3]), [27, 5]) as tf.Tensor2D;
    const bias = normal<tf.Rank.R1>([5], 3);
    const expected = tf.add(tf.conv2d(x, kernel, 3, 'valid'), bias);
    expectClose(patchConv(x, matrix, bias, 3, 'crop'), expected, 1e-5);
    const whole = tf.pad(x, [
      [0, 0],
      [0, 2],
      [0, 0],
      [0, 0],
    ]);
    const padded = tf.add(tf.conv2d(whole, kernel, 3, 'valid'), bias);
    expectClose(patchConv(x, matrix, bias, 3, 'pad'), padded, 1e-5);
    expect(() => patchConv(x, matrix, bias, 8, 'crop')).toThrow(ShapeError);
  });

  it('transpose a convolution as tfjs does', () => {
    const x = normal<tf.Rank.R4>([2, 3, 4, 5], 1);
    const kernel = normal<tf.Rank.R4>([2, 2, 3, 5], 2); // [rows, columns, out, in]
    const matrix = tf.reshape(tf.transpose(kernel, [3, 0, 1, 2]), [5, 12]) as tf.Tensor2D;
    const bias = normal<tf.Rank.R1>([3], 3);
    const expected = tf.add(tf.conv2dTranspose(x, kernel, [2, 6, 8, 3], 2, 'valid'), bias);
    expectClose(upConv(x, matrix, bias), expected, 1e-5);
  });

  it.each([2 ** 24, 100, 1])('attend as the loops say, with at most %i scores at a time', (mostScores) => {
    const [batch, tokens, heads, depth] = [2, 5, 3, 4];
    const channels = heads * depth;
    const qkv = normal<tf.Rank.R3>([batch, tokens, 3 * channels], 1);
    const values = qkv.dataSync();
    const at = (b: number, t: number, part: number, c: number) =>
      values[(b * tokens + t) * 3 * channels + part * channels + c]!;
    const all = Array.from({ length: tokens }, (_, t) => t);
    const expected: number[] = [];
    for (let b = 0; b < batch; b++) {
      for (const t of all) {
        for (let c = 0; c < channels; c++) {
          const start = c - (c % depth);
          const dot = (j: number) =>
            [0, 1, 2, 3].reduce((sum, d) => sum + at(b, t, 0, start + d) * at(b, j, 1, start + d), 0);
          const scores = all.map((j) => Math.exp(dot(j) / Math.sqrt(depth)));
          const total = scores.reduce((sum, score) => sum + score, 0);
          expected.push(scores.reduce((sum, score, j) => sum + (score / total) * at(b, j, 2, c), 0));
        }
      }
    }
    expectClose(selfAttention(qkv, heads, mostScores), expected, 1e-5);
  });

  it('attend with the right gradient, and leak nothing', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const qkv = normal<tf.Rank.R3>([2, 5, 12], 1);
      const up = normal<tf.Rank.R3>([2, 5, 4], 2);
      const loss = (x: tf.Tensor) => tf.sum(tf.mul(selfAttention(x as tf.Tensor3D, 2, 50), up));
      const gradient = tf.grad(loss)(qkv);
      const direction = normal<tf.Rank.R3>([2, 5, 12], 3);
      const ahead = loss(tf.add(qkv, tf.mul(direction, 1e-2))).dataSync()[0]!;
      const behind = loss(tf.sub(qkv, tf.mul(direction, 1e-2))).dataSync()[0]!;
      const slope = tf.sum(tf.mul(gradient, direction)).dataSync()[0]!;
      expect(Math.abs((ahead - behind) / 2e-2 - slope)).toBeLessThan(5e-3 * Math.max(1, Math.abs(slope)));
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('heads that do not divide the channels are an error that names the layer', () => {
  const layer = new SelfAttention({ name: 'x.core', heads: 5 });
  expect(() => layer.apply(input({ shape: [4, 12] }))).toThrow(
    /x\.core.*\n.*multiple of 3 \* 5 channels\n.*12/,
  );
});
