import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { roundTrip } from '../../../tests/support/layer-contract.ts';
import { expectClose, expectSlope, leakOf, normal, onBackends } from '../../../tests/support/tensors.ts';
import { Reference } from '../test/support/reference.ts';
import { DetectionOptionsError } from './errors.ts';
import { type FpnOptions, fpn } from './fpn.ts';

const reference = new Reference('fpn');
const levels = [8, 16, 32, 64].map((channels, i) => ({ name: `c${i}`, channels, stride: 4 << i }));
const maps = () => levels.map((_, i) => reference.map(`c${i}`));

const mmdet = (layer: string, level: number) => {
  const [kind, i] = layer.split('.') as [string, string];
  if (kind === 'extra') return `fpn_convs.${level + Number(i)}.conv`;
  return `${kind === 'output' ? 'fpn' : kind}_convs.${i}.conv`;
};
const torchvision = (layer: string) => {
  const [kind, i] = layer.split('.') as [string, string];
  if (kind === 'extra') return `extra_blocks.p${6 + Number(i)}`;
  return `${kind === 'output' ? 'layer' : 'inner'}_blocks.${i}.0`;
};
const cases: [string, number, Partial<FpnOptions>, (layer: string, level: number) => string][] = [
  ['mmdet_maxpool', 0, { outputs: 5 }, mmdet],
  ['mmdet_retinanet_on_input', 1, { outputs: 5, extra: 'input' }, mmdet],
  ['torchvision_maxpool', 0, { outputs: 5 }, torchvision],
  ['torchvision_p6p7_on_p5', 1, { outputs: 5, extra: 'output', reluBeforeExtra: true }, torchvision],
  ['torchvision_p6p7_on_c5', 1, { outputs: 5, extra: 'input', reluBeforeExtra: true }, torchvision],
];

onBackends('fpn', () => {
  it.each(cases)('%s equals the reference', (name, start, options, names) => {
    const neck = fpn({ levels: levels.slice(start), channels: 8, ...options });
    reference.loadConvs(neck, (layer) => `${name}.${names(layer, 4 - start)}`);
    const pyramid = neck.apply(maps().slice(start)) as tf.Tensor4D[];
    expect(pyramid.length).toBe(5);
    pyramid.forEach((map, i) => {
      expectClose(map, reference.map(`${name}.out.${i}`), 1e-5, 1e-5);
    });
  });

  it('comes back from JSON and weights, and leaks nothing in a gradient', async () => {
    const neck = fpn({
      levels: levels.slice(2),
      channels: 4,
      outputs: 4,
      extra: 'output',
      seed: 2,
    });
    const inputs = [normal<tf.Rank.R4>([1, 6, 4, 32], 1), normal<tf.Rank.R4>([1, 3, 2, 64], 2)];
    const restored = await roundTrip(neck);
    const [a, b] = [neck, restored].map((net) => net.apply(inputs) as tf.Tensor[]);
    expect(a!.map((map) => map.shape)).toEqual([
      [1, 6, 4, 4],
      [1, 3, 2, 4],
      [1, 2, 1, 4],
      [1, 1, 1, 4],
    ]);
    a!.forEach((map, i) => {
      expectClose(map, b![i]!, 0);
    });
    const sum = (...maps: tf.Tensor[]) =>
      tf.addN((neck.apply(maps) as tf.Tensor[]).map((map) => tf.sum(map)));
    for (const [i, grad] of tf.grads(sum)(inputs).entries())
      expectSlope((x) => sum(...inputs.with(i, x as tf.Tensor4D)), inputs[i]!, grad);
    expect(leakOf(() => tf.dispose(tf.grads(sum)(inputs)))).toBe(0);
  });
});

describe('fpn', () => {
  it.each([
    ['channels', { channels: 0 }],
    ['outputs', { outputs: 3 }],
    ['levels', { levels: [] }],
  ])('names a bad option: %s', (what, options) => {
    const build = () => fpn({ levels, ...options });
    expect(build).toThrow(DetectionOptionsError);
    expect(build).toThrow(what);
  });
});
