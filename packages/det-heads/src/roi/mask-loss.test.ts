import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectClose, leakOf, normal, onBackends } from '../../../../tests/support/tensors.ts';
import { maskLoss, ownMasks } from './mask-loss.ts';

const labels = Int32Array.of(2, 0, 2);
const targets = Float32Array.from({ length: 3 * 4 * 5 }, (_, i) => [0, 1, 0.25][i % 3]!);

onBackends('maskLoss', () => {
  it('is the mean cross-entropy of the channel of each class, with its gradient', () => {
    const logits = normal<tf.Rank.R4>([3, 4, 5, 3], 1, 4);
    const values = logits.arraySync();
    let sum = 0;
    const expected = tf.buffer([3, 4, 5, 3]);
    for (let r = 0; r < 3; r++) {
      for (let p = 0; p < 20; p++) {
        const [i, j] = [Math.floor(p / 5), p % 5];
        const probability = 1 / (1 + Math.exp(-values[r]![i]![j]![labels[r]!]!));
        const goal = targets[20 * r + p]!;
        sum -= goal * Math.log(probability) + (1 - goal) * Math.log(1 - probability);
        expected.set((probability - goal) / 60, r, i, j, labels[r]!);
      }
    }
    expectClose(maskLoss(logits, labels, targets), [sum / 60], 0, 1e-5);
    const gradient = tf.grad((x) => maskLoss(x as tf.Tensor4D, labels, targets))(logits);
    expectClose(gradient, expected.toTensor(), 1e-7, 1e-4);
  });

  it('stays finite for logits of any size, and is 0 without regions', () => {
    const logits = tf.fill<tf.Rank.R4>([3, 4, 5, 3], 1e4);
    expectClose(maskLoss(logits, labels, new Float32Array(60)), [1e4], 0, 1e-6);
    const none = maskLoss(tf.zeros<tf.Rank.R4>([0, 4, 5, 3]), new Int32Array(0), new Float32Array(0));
    expectClose(none, [0], 0);
  });

  it('takes a single class', () => {
    const logits = normal<tf.Rank.R4>([3, 4, 5, 1], 2);
    const own = ownMasks(logits, new Int32Array(3));
    expectClose(own, logits, 0);
  });

  it('leaves no tensor behind', () => {
    const logits = normal<tf.Rank.R4>([3, 4, 5, 3], 1);
    const step = () =>
      tf.dispose(tf.valueAndGrad((x) => maskLoss(x as tf.Tensor4D, labels, targets))(logits));
    expect(leakOf(step)).toBe(0);
  });
});
