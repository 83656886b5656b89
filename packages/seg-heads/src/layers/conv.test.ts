import * as tf from '@tensorflow/tfjs-core';
import { input } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { expectLayerContract } from '../../test/layer-contract.ts';
import { expectClose, onBackends } from '../../test/support.ts';
import { Conv } from './conv.ts';

onBackends('Conv', () => {
  it('keeps the layer contract', async () => {
    await expectLayerContract(new Conv({ name: 'c1', filters: 3, kernelStd: 0.5, seed: 3 }), [[2, 3, 4, 5]]);
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

  it('starts normal by fan-out, or with the given deviation, repeatably by seed', () => {
    const kernelOf = (args: { kernelStd?: number }) => {
      const conv = new Conv({ filters: 64, kernelSize: 3, useBias: false, seed: 7, ...args });
      conv.apply(input({ shape: [null, null, 32] }));
      return conv.getWeights()[0]!;
    };
    const deviation = (t: tf.Tensor) => Math.sqrt(tf.moments(t).variance.dataSync()[0]!);
    expect(deviation(kernelOf({}))).toBeCloseTo(Math.sqrt(2 / (64 * 9)), 3);
    expect(deviation(kernelOf({ kernelStd: 0.01 }))).toBeCloseTo(0.01, 3);
    expectClose(kernelOf({}), kernelOf({}), 0);
  });
});
