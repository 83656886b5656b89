import * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { expectLayerContract } from '../../../tests/support/layer-contract.ts';
import { expectClose, onBackends } from '../../../tests/support/tensors.ts';
import { AdaptiveAveragePool } from './adaptive-average-pool.ts';
import { AddResized } from './add-resized.ts';

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
