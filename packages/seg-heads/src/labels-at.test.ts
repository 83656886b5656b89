import { resizeBilinear } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { normal, onBackends } from '../../../tests/support/tensors.ts';
import { argmaxLabels } from './inference.ts';
import { labelsAt } from './labels-at.ts';

onBackends('labelsAt', () => {
  it.each([
    [
      [5, 7],
      [11, 20],
    ],
    [
      [8, 6],
      [3, 6],
    ],
    [
      [4, 4],
      [4, 4],
    ],
    [
      [1, 3],
      [9, 2],
    ],
  ] as [[number, number], [number, number]][])(
    '%j to %j: the classes of the resized logits',
    async (from, to) => {
      const before = tf.memory().numTensors;
      const logits = normal<tf.Rank.R4>([1, ...from, 6], 3);
      const expected = tf.tidy(() => argmaxLabels(resizeBilinear(logits, to)));
      expect(await labelsAt(logits, to)).toEqual(await expected.data());
      tf.dispose([logits, expected]);
      expect(tf.memory().numTensors).toBe(before);
    },
  );
});
