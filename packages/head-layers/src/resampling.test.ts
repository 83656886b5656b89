import * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { expectLayerContract } from '../../../tests/support/layer-contract.ts';
import { expectClose, onBackends } from '../../../tests/support/tensors.ts';
import { AdaptiveAveragePool } from './adaptive-average-pool.ts';
import { AddNearest } from './add-nearest.ts';
import { AddResized } from './add-resized.ts';
import { Subsample } from './subsample.ts';

onBackends('AddResized', () => {
  it('keeps the layer contract', async () => {
    await expectLayerContract(new AddResized({ name: 'add' }), [
      [2, 7, 5, 3],
      [2, 3, 4, 3],
    ]);
  });

  it('resizes with half-pixel centres', () => {
    const other = tf.tensor4d([0, 1], [1, 1, 2, 1]);
    const y = new AddResized({}).apply([tf.ones([1, 1, 4, 1]), other]) as tf.Tensor;
    expectClose(y, [1, 1.25, 1.75, 2], 1e-6);
  });
});

onBackends('AdaptiveAveragePool', () => {
  it('keeps the layer contract, upwards too', async () => {
    await expectLayerContract(new AdaptiveAveragePool({ name: 'pool', size: [6, 2] }), [[2, 3, 5, 4]]);
  });

  it('averages overlapping bins', () => {
    const x = tf.tensor4d([1, 2, 3], [1, 3, 1, 1]);
    expectClose(new AdaptiveAveragePool({ size: [2, 1] }).apply(x) as tf.Tensor, [1.5, 2.5], 1e-6);
  });
});

onBackends('AddNearest', () => {
  it.each([
    [6, 8, 3, 4],
    [7, 5, 4, 3],
    [5, 4, 5, 4],
    [7, 8, 3, 4],
  ])('keeps the layer contract, %i×%i from %i×%i', async (height, width, h, w) => {
    await expectLayerContract(new AddNearest({ name: 'add' }), [
      [2, height, width, 3],
      [2, h, w, 3],
    ]);
  });

  it('repeats pixels', () => {
    const add = (height: number, other: number[]) => {
      const inputs = [tf.zeros([1, height, 2, 1]), tf.tensor4d(other, [1, other.length, 1, 1])];
      return tf.slice(new AddNearest({}).apply(inputs) as tf.Tensor4D, [0, 0, 0, 0], [1, height, 1, 1]);
    };
    expectClose(add(4, [1, 2]), [1, 1, 2, 2], 0);
    expectClose(add(5, [1, 2, 3]), [1, 1, 2, 2, 3], 0);
    expectClose(add(3, [1, 2]), [1, 1, 2], 0);
  });
});

onBackends('Subsample', () => {
  it.each([
    [5, 4],
    [1, 6],
  ])('keeps the layer contract on %i×%i', async (height, width) => {
    await expectLayerContract(new Subsample({ name: 'half' }), [[2, height, width, 3]]);
  });

  it('takes every second pixel, negative ones too', () => {
    const x = tf.tensor4d([-1, -2, -3, 4, 5, 6, -7, 8, 9], [1, 3, 3, 1]);
    expectClose(new Subsample({}).apply(x) as tf.Tensor, [-1, -3, -7, 9], 0);
  });
});
