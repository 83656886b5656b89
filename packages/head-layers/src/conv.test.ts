import * as tf from '@tensorflow/tfjs-core';
import { input } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { expectLayerContract } from '../../../tests/support/layer-contract.ts';
import { expectClose, normal, onBackends } from '../../../tests/support/tensors.ts';
import { Conv } from './conv.ts';

onBackends('Conv', () => {
  it('keeps the layer contract', async () => {
    await expectLayerContract(new Conv({ name: 'c1', filters: 3, seed: 3 }), [[2, 3, 4, 5]]);
    await expectLayerContract(new Conv({ name: 'c3', filters: 3, kernelSize: 3, useBias: false, seed: 4 }), [
      [2, 3, 4, 5],
    ]);
  });

  it('takes several maps as one', async () => {
    const args = { name: 'joined', filters: 3, kernelSize: 3, useBias: false, seed: 5 };
    await expectLayerContract(new Conv(args), [
      [2, 3, 4, 5],
      [2, 3, 4, 1],
    ]);
  });

  it.each([
    [3, 6, 8],
    [3, 5, 7],
    [1, 5, 8],
  ])('skips by a stride as PyTorch does: kernel %i on %i×%i', async (kernelSize, height, width) => {
    const args = { name: 'strided', filters: 3, kernelSize, stride: 2, seed: 5 };
    await expectLayerContract(new Conv(args), [[2, height, width, 4]]);
    const x = normal<tf.Rank.R4>([2, height, width, 4], 1);
    const every = new Conv({ ...args, stride: 1 }).apply(x) as tf.Tensor4D;
    const second = tf.stridedSlice(every, [0, 0, 0, 0], every.shape, [1, 2, 2, 1]);
    expectClose(new Conv(args).apply(x) as tf.Tensor, second, 1e-5);
  });

  it('may end in ReLU, and keeps its input and output alone then', () => {
    const args = { filters: 3, kernelSize: 3, seed: 5 };
    const [plain, conv] = [new Conv(args), new Conv({ ...args, activation: 'relu' })];
    const x = normal<tf.Rank.R4>([2, 5, 4, 3], 1);
    const outputs = [(x: tf.Tensor) => tf.relu(plain.apply(x) as tf.Tensor), (x: tf.Tensor) => conv.apply(x)];
    const [expected, actual] = outputs.map((f) => tf.valueAndGrad(f as (x: tf.Tensor) => tf.Tensor)(x));
    expectClose(actual!.value, expected!.value, 0);
    expectClose(actual!.grad, expected!.grad, 1e-6);
    expect(conv.getConfig()).toMatchObject({ activation: 'relu' });
  });

  it('starts normal, with a bias of 0 or of a given value', () => {
    const weightsOf = (biasValue?: number) => {
      const initializer = { normal: 0.01 };
      const conv = new Conv({
        filters: 64,
        kernelSize: 3,
        initializer,
        seed: 1,
        ...(biasValue && { biasValue }),
      });
      conv.apply(input({ shape: [null, null, 32] }));
      return conv.getWeights() as [tf.Tensor, tf.Tensor];
    };
    const [kernel, bias] = weightsOf();
    expect(Math.sqrt(tf.moments(kernel).variance.dataSync()[0]!)).toBeCloseTo(0.01, 3);
    expectClose(bias, new Float32Array(64), 0);
    expectClose(weightsOf(-4.5)[1], new Float32Array(64).fill(-4.5), 0);
    expectClose(weightsOf()[0], kernel, 0);
  });

  it('starts by fan-in and fan-out, with a bias of 0, where asked to', () => {
    const conv = new Conv({ filters: 96, kernelSize: 3, initializer: 'xavier', seed: 1 });
    conv.apply(input({ shape: [null, null, 32] }));
    const [kernel, bias] = conv.getWeights() as [tf.Tensor, tf.Tensor];
    expect(tf.max(tf.abs(kernel)).dataSync()[0]! / Math.sqrt(6 / (128 * 9))).toBeCloseTo(1, 2);
    expectClose(bias, new Float32Array(96), 0);
  });

  it('starts uniform within one over the root of the fan-in, repeatably by seed', () => {
    const weightsOf = (seed: number) => {
      const conv = new Conv({ filters: 64, kernelSize: 3, seed });
      conv.apply(input({ shape: [null, null, 32] }));
      return conv.getWeights();
    };
    const bound = 1 / Math.sqrt(32 * 9);
    for (const weight of weightsOf(7)) {
      const largest = tf.max(tf.abs(weight)).dataSync()[0]!;
      expect(largest).toBeLessThanOrEqual(bound);
      expect(largest).toBeGreaterThan(0.9 * bound);
    }
    const deviation = Math.sqrt(tf.moments(weightsOf(7)[0]!).variance.dataSync()[0]!);
    expect(deviation).toBeCloseTo(bound / Math.sqrt(3), 3);
    expectClose(weightsOf(7)[0]!, weightsOf(7)[0]!, 0);
    expect(weightsOf(8)[0]!.dataSync()).not.toEqual(weightsOf(7)[0]!.dataSync());
  });
});
