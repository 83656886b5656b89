import * as tf from '@tensorflow/tfjs-core';
import { input } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { expectLayerContract } from '../../../tests/support/layer-contract.ts';
import { expectClose, expectSlope, normal, onBackends } from '../../../tests/support/tensors.ts';
import { BatchNorm } from './batch-norm.ts';
import { relu } from './relu.ts';

function built(args: { momentum?: number } = {}): BatchNorm {
  const layer = new BatchNorm(args);
  layer.apply(input({ shape: [null, null, 3] }));
  return layer;
}

onBackends('BatchNorm', () => {
  it('keeps the layer contract', async () => {
    await expectLayerContract(new BatchNorm({ name: 'bn', epsilon: 1e-3, momentum: 0.3 }), [[2, 3, 4, 5]]);
  });

  it('moves the running statistics by a loop in plain numbers, the variance unbiased', () => {
    const layer = built({ momentum: 0.25 });
    const x = normal<tf.Rank.R4>([2, 3, 2, 3], 5, 2);
    layer.apply(x, { training: true });
    const values = x.arraySync().flat(2);
    const [, , mean, variance] = layer.getWeights().map((w) => w.dataSync());
    for (let c = 0; c < 3; c++) {
      const m = values.reduce((sum, v) => sum + v[c]!, 0) / 12;
      const s = values.reduce((sum, v) => sum + (v[c]! - m) ** 2, 0) / 11;
      expect(mean![c]).toBeCloseTo(0.25 * m, 5);
      expect(variance![c]).toBeCloseTo(0.75 + 0.25 * s, 5);
    }
  });

  it('updates them inside a gradient, and nothing flows through them', () => {
    const layer = built();
    const x = normal<tf.Rank.R4>([2, 2, 2, 3], 6);
    const { grads } = tf.variableGrads(
      () => tf.sum(tf.square(layer.apply(x, { training: true }) as tf.Tensor)) as tf.Scalar,
    );
    const trainable = layer.trainableWeights.map((w) => w.name);
    expect(trainable.every((name) => name in grads)).toBe(true);
    const untrained = layer.nonTrainableWeights.map((w) => w.name);
    expect(untrained.some((name) => name in grads)).toBe(false);
    expect(
      layer
        .getWeights()[2]!
        .dataSync()
        .some((v) => v !== 0),
    ).toBe(true);
  });

  it('goes on updating them when not trainable', () => {
    const layer = built();
    layer.trainable = false;
    expect(layer.trainableWeights).toEqual([]);
    const y = layer.apply(normal([2, 2, 2, 3], 6, 3), { training: true }) as tf.Tensor;
    expectClose(tf.mean(y, [0, 1, 2]), [0, 0, 0], 1e-6);
    expect(
      layer
        .getWeights()[3]!
        .dataSync()
        .every((v) => v !== 1),
    ).toBe(true);
  });

  it('leaves them alone without training, and for one value a channel', () => {
    const layer = built();
    const x = normal<tf.Rank.R4>([1, 1, 1, 3], 6);
    const outputs = [false, true].map((training) => layer.apply(x, { training }) as tf.Tensor);
    expectClose(outputs[0]!, outputs[1]!, 0);
    expectClose(layer.getWeights()[2]!, [0, 0, 0], 0);
    expectClose(layer.getWeights()[3]!, [1, 1, 1], 0);
  });

  it('can end in ReLU, with the gradient of tf.relu', () => {
    const [x, dy] = [normal([4, 5], 8), normal([4, 5], 9)];
    expectClose(relu(x), tf.relu(x), 0);
    expectClose(tf.grad(relu)(x, dy), tf.grad((x) => tf.relu(x))(x, dy), 0);
    const layer = new BatchNorm({ activation: 'relu' });
    const y = layer.apply(normal([2, 3, 3, 4], 10)) as tf.Tensor;
    expect(tf.min(y).dataSync()[0]).toBe(0);
    expectSlope((x) => tf.sum(relu(x)), tf.ones([3]), tf.ones([3]));
  });
});
