import { resizeBilinear } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectClose, normal, onBackends } from '../../../tests/support/tensors.ts';
import { convJoined, convResized, convSame } from './conv-ops.ts';

const map = (height: number, width: number, channels: number, seed = 1) =>
  normal<tf.Rank.R4>([2, height, width, channels], seed);

onBackends('convolutions', () => {
  it.each([
    [1, 1, 4, 5],
    [2, 3, 4, 6],
    [3, 2, 7, 5],
    [4, 4, 4, 9],
    [5, 4, 5, 4],
    [1, 3, 2, 3],
  ])('convolves a %i x %i map at its own size as if resized to %i x %i', (h, w, height, width) => {
    for (const size of [1, 3, 5]) {
      const [x, kernel] = [map(h, w, 3), normal<tf.Rank.R4>([size, size, 3, 4], 2)];
      const upstream = map(height, width, 4, 3);
      const results = [
        (x: tf.Tensor, kernel: tf.Tensor) =>
          convResized(x as tf.Tensor4D, kernel as tf.Tensor4D, [height, width]),
        (x: tf.Tensor, kernel: tf.Tensor) =>
          convSame(resizeBilinear(x as tf.Tensor4D, [height, width]), kernel as tf.Tensor4D),
      ].map((f) => [f(x, kernel), ...tf.grads(f)([x, kernel], upstream)]);
      results[0]!.forEach((actual, i) => {
        expectClose(actual, results[1]![i]!, 2e-5, 1e-5);
      });
    }
  });

  it('joins maps of any size as the concatenation of the resized ones', () => {
    const maps = [map(4, 6, 2, 1), map(2, 3, 3, 2), map(5, 3, 1, 3), map(4, 6, 2, 4)];
    const kernel = normal<tf.Rank.R4>([3, 3, 8, 5], 5);
    const joined = tf.concat(
      maps.map((x) => resizeBilinear(x, [4, 6])),
      3,
    );
    expectClose(convJoined(maps, kernel), convSame(joined, kernel), 1e-5, 1e-5);
    expect(convJoined(maps.slice(1, 2), normal([3, 3, 3, 5], 6)).shape).toEqual([2, 2, 3, 5]);
  });
});
