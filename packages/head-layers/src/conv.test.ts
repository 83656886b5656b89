import * as tf from '@tensorflow/tfjs-core';
import { input } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { expectLayerContract } from '../../../tests/support/layer-contract.ts';
import { expectClose, onBackends } from '../../../tests/support/tensors.ts';
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
