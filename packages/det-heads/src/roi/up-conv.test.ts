import * as tf from '@tensorflow/tfjs-core';
import { input } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { expectLayerContract } from '../../../../tests/support/layer-contract.ts';
import { expectClose, normal, onBackends } from '../../../../tests/support/tensors.ts';
import { UpConv } from './up-conv.ts';

onBackends('UpConv', () => {
  it('keeps the layer contract', async () => {
    await expectLayerContract(new UpConv({ name: 'up', filters: 3, seed: 3 }), [[2, 3, 4, 5]]);
    // central differences do not hold at the kinks of ReLU
    const rectified = new UpConv({ name: 'rectified', filters: 3, activation: 'relu', seed: 3 });
    await expectLayerContract(rectified, [[2, 3, 4, 5]], { gradientModes: [] });
  });

  it('equals the transposed convolution', () => {
    const layer = new UpConv({ filters: 3, seed: 1 });
    const x = normal<tf.Rank.R4>([2, 3, 4, 5], 6);
    const y = layer.apply(x) as tf.Tensor4D;
    const kernel = tf.transpose(layer.getWeights()[0]!, [1, 2, 3, 0]) as tf.Tensor4D; // [h, w, out, in]
    expectClose(y, tf.conv2dTranspose(x, kernel, [2, 6, 8, 3], 2, 'same'), 1e-5);
    const rectified = new UpConv({ filters: 3, activation: 'relu', seed: 1 });
    expectClose(rectified.apply(x) as tf.Tensor, tf.relu(y), 0);
  });

  it('starts with the deviation that keeps the variance, repeatably by seed', () => {
    const kernel = (seed: number) => {
      const layer = new UpConv({ filters: 40, seed });
      layer.apply(input({ shape: [null, null, 50] }));
      return layer.getWeights()[0]!;
    };
    expect(Math.sqrt(tf.moments(kernel(1)).variance.dataSync()[0]!)).toBeCloseTo(0.1, 2);
    expectClose(kernel(1), kernel(1), 0);
    expect(kernel(1).dataSync()).not.toEqual(kernel(2).dataSync());
  });
});
