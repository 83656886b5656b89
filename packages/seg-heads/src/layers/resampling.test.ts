import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectLayerContract } from '../../test/layer-contract.ts';
import { expectClose, onBackends } from '../../test/support.ts';
import { AdaptiveAveragePool } from './adaptive-average-pool.ts';
import { ResizeLike } from './resize-like.ts';

onBackends('ResizeLike', () => {
  it('keeps the layer contract', async () => {
    await expectLayerContract(
      new ResizeLike({ name: 'like' }),
      [
        [2, 3, 4, 5],
        [2, 7, 5, 3],
      ],
      { differentiable: 1 },
    );
  });

  it('has half-pixel centres', () => {
    const x = tf.tensor4d([0, 1], [1, 1, 2, 1]);
    const y = new ResizeLike({}).apply([x, tf.zeros([1, 1, 4, 9])]) as tf.Tensor;
    expect(y.shape).toEqual([1, 1, 4, 1]);
    expectClose(y, [0, 0.25, 0.75, 1], 1e-6);
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
