import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { roundTrip } from '../../../../tests/support/layer-contract.ts';
import { expectClose, normal, onBackends } from '../../../../tests/support/tensors.ts';
import { boxHead } from './box-head.ts';
import { maskHead } from './mask-head.ts';

/** Standard deviation of a weight. */
function deviation(model: LayersModel, name: string): number {
  const weight = model.weights.find(({ originalName }) => originalName === name)!;
  return tf.tidy(() => Math.sqrt(tf.moments(weight.read()).variance.dataSync()[0]!));
}

const biasesOf = (model: LayersModel) =>
  model.weights.filter(({ originalName }) => originalName.endsWith('/bias')).map((weight) => weight.read());

onBackends('boxHead and maskHead', () => {
  it('put out logits and deltas, with a box a class or one for all', () => {
    const regions = normal<tf.Rank.R4>([3, 5, 5, 4], 1);
    const shapes = (options: object) => {
      const head = boxHead({ channels: 4, classes: 6, poolSize: 5, denseChannels: 8, ...options });
      return (head.apply(regions) as tf.Tensor[]).map(({ shape }) => shape);
    };
    expect(shapes({})).toEqual([
      [3, 7],
      [3, 24],
    ]);
    expect(shapes({ classAgnostic: true, convs: 2, dense: 1 })).toEqual([
      [3, 7],
      [3, 4],
    ]);
    const masks = maskHead({ channels: 4, classes: 6, poolSize: 5, convs: 1, convChannels: 3 }).apply(
      regions,
    );
    expect((masks as tf.Tensor).shape).toEqual([3, 10, 10, 6]);
  });

  it('are the same after a round trip through JSON and weights', async () => {
    const regions = normal<tf.Rank.R4>([3, 5, 5, 4], 2);
    const shape = { channels: 4, classes: 2, poolSize: 5 };
    for (const head of [
      boxHead({ ...shape, convs: 1, convChannels: 3, norm: true, dense: 1, denseChannels: 6 }),
      boxHead({ ...shape, convs: 1, denseChannels: 6, classAgnostic: true, name: 'other' }),
      maskHead({ ...shape, convs: 2, convChannels: 3 }),
    ]) {
      const restored = await roundTrip(head);
      for (const training of [false, true]) {
        const [a, b] = [head, restored].map(
          (net) => [net.apply(regions, { training })].flat() as tf.Tensor[],
        );
        for (const [i, output] of a!.entries()) expectClose(b![i]!, output, 0);
      }
    }
  });

  it('start as those of mmdetection', () => {
    const box = boxHead({
      channels: 32,
      classes: 40,
      convs: 1,
      convChannels: 64,
      denseChannels: 100,
      seed: 1,
    });
    expect(deviation(box, 'convs.0.conv/kernel')).toBeCloseTo(Math.sqrt(2 / (9 * 64)), 3);
    expect(deviation(box, 'dense.0/kernel')).toBeCloseTo(Math.sqrt(2 / (49 * 64 + 100)), 4);
    expect(deviation(box, 'dense.1/kernel')).toBeCloseTo(Math.sqrt(2 / 200), 2);
    expect(deviation(box, 'cls/kernel')).toBeCloseTo(0.01, 3);
    expect(deviation(box, 'reg/kernel')).toBeCloseTo(0.001, 4);
    const mask = maskHead({ channels: 32, classes: 40, convs: 1, convChannels: 64, seed: 1 });
    expect(deviation(mask, 'convs.0/kernel')).toBeCloseTo(Math.sqrt(2 / (9 * 64)), 3);
    expect(deviation(mask, 'up/kernel')).toBeCloseTo(Math.sqrt(2 / (4 * 64)), 2);
    expect(deviation(mask, 'logits/kernel')).toBeCloseTo(Math.sqrt(2 / 40), 1);
    for (const bias of [...biasesOf(box), ...biasesOf(mask)]) expectClose(bias, tf.zerosLike(bias), 0);
  });
});
