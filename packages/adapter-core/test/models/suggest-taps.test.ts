import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import {
  input,
  type LayersModel,
  layers,
  model,
  type SymbolicTensor,
  sequential,
} from '@tensorflow/tfjs-layers';
import { beforeAll, expect, it } from 'vitest';
import { adapt, e3va, suggestTaps, TapError } from '../../src/index.ts';
import { strideOf } from '../../src/level.ts';
import { tinyChain } from '../tiny-model.ts';
import * as architectures from './architectures.ts';

beforeAll(() => tf.setBackend('cpu'));

const blocks = (end: string, counts = [2, 2, 2]) =>
  counts.flatMap((n, s) => Array.from({ length: n }, (_, b) => `s${s}b${b}${end}`));

it.each<[string, () => LayersModel, 'inherit' | 'pool-project', string[], RegExp]>([
  ['a plain chain', tinyChain, 'pool-project', ['conv0', 'conv1', 'conv2'], /no blocks/],
  ['VGG', architectures.vgg, 'pool-project', ['s2c0', 's2c1', 's3c0', 's3c1'], /stride 1 and 2 are left out/],
  ['MobileNetV1', architectures.mobileNetV1, 'pool-project', blocks('_pw_relu'), /no blocks/],
  [
    'DenseNet: the last concatenation at each stride',
    architectures.denseNet,
    'pool-project',
    [0, 1, 2].map((s) => `s${s}b2_concat`),
    /Concatenations end the blocks/,
  ],
  ['ResNetV2', architectures.resNetV2, 'inherit', blocks('_2_conv'), /residual stream \(6\)/],
  ['ConvNeXt', architectures.convNeXt, 'inherit', blocks('_pw2'), /they are inherited/],
  ['squeeze and excite', architectures.squeezeExcite, 'pool-project', blocks('_relu'), /no blocks/],
  [
    'a U-Net, whose output is fine',
    architectures.uNet,
    'pool-project',
    [...[0, 1, 2, 3].map((i) => `down${i}_relu`), ...[0, 1, 2].map((i) => `out${i}_relu`), 'mask'],
    /no blocks/,
  ],
  [
    'a feature pyramid: its additions are no branches',
    architectures.featurePyramid,
    'pool-project',
    ['c2_relu', 'lateral2', 'c3_relu', 'lateral3', 'c4_relu', 'lateral4'],
    /Nothing is added to a residual stream/,
  ],
  ['vectors', architectures.residualVectors, 'inherit', [0, 1, 2].map((b) => `b${b}_out`), /residual stream/],
  [
    'towers',
    architectures.towers,
    'pool-project',
    ['t0a_relu', 't0b_relu', 't1a_relu', 't1b_relu'],
    /no blocks/,
  ],
])('%s', (_, make, transition, taps, reason) => {
  const suggestion = suggestTaps(make());
  expect(suggestion.taps).toEqual(taps);
  expect(suggestion.transition).toBe(transition);
  expect(suggestion.reasons.join('\n')).toMatch(reason);
  expect(suggestion.stages.flatMap((stage) => stage.taps)).toEqual(taps);
});

it('levels are the last maps of the blocks at each stride; an output of the model goes before', () => {
  expect(suggestTaps(architectures.resNetV2()).levels).toEqual([
    { name: 's0b1_out', channels: 4, stride: 4 },
    { name: 's1b1_out', channels: 8, stride: 8 },
    { name: 's2b1_out', channels: 16, stride: 16 },
  ]);
  expect(suggestTaps(architectures.featurePyramid()).levels.slice(1)).toEqual([
    { name: 'p2', channels: 6, stride: 4 },
    { name: 'p3', channels: 6, stride: 8 },
    { name: 'lateral4', channels: 6, stride: 16 },
  ]);
});

it('prints stages, levels and reasons', () => {
  const lines: string[] = [];
  suggestTaps(architectures.convNeXt()).summary((line) => lines.push(line));
  expect(lines).toEqual([
    "Taps for model 'convnext': 6 in 3 stages, transition inherit",
    '  stage 0: 2 of 4 channels, stride 4: s0b0_pw2, s0b1_pw2',
    '  stage 1: 2 of 8 channels, stride 8: s1b0_pw2, s1b1_pw2',
    '  stage 2: 2 of 16 channels, stride 16: s2b0_pw2, s2b1_pw2',
    '  level: s0b1_add, 4 channels, stride 4',
    '  level: s1b1_add, 8 channels, stride 8',
    '  level: s2b1_add, 16 channels, stride 16',
    '  Branches are added to a residual stream (6).',
    "  The base's own layers between the branches put 0.6 times as many values on the tape as the taps: they are inherited.",
  ]);
});

it.each([
  [0, 1, 2],
  [1, 0, 2],
  [1, 2, 0],
])('two branches beside a stream that is the model’s input, in any order of the addition', (...order) => {
  const x = input({ shape: [8, 8, 4] });
  const branch = (name: string) =>
    layers.conv2d({ name, filters: 4, kernelSize: 3, padding: 'same' }).apply(x) as SymbolicTensor;
  const parts = [x, branch('b1'), branch('b2')];
  const sum = layers.add({ name: 'sum' }).apply(order.map((i) => parts[i]!)) as SymbolicTensor;
  const { taps, transition } = suggestTaps(model({ inputs: x, outputs: sum }));
  expect([...taps].sort()).toEqual(['b1', 'b2']);
  expect(transition).toBe('inherit');
});

it('a branch inside a branch is no tap: only the outer one is seen behind it', () => {
  const x = input({ shape: [8, 8, 4] });
  const conv = (name: string, from: SymbolicTensor) =>
    layers.conv2d({ name, filters: 4, kernelSize: 3, padding: 'same' }).apply(from) as SymbolicTensor;
  const first = conv('first', x);
  const inner = layers.add().apply([first, conv('inner', first)]) as SymbolicTensor;
  const sum = layers.add().apply([x, conv('outer', inner)]) as SymbolicTensor;
  expect(suggestTaps(model({ inputs: x, outputs: sum })).taps).toEqual(['outer']);
});

it('maps with the channels first are refused', () => {
  const conv = layers.conv2d({
    name: 'first',
    filters: 4,
    kernelSize: 3,
    inputShape: [3, 9, 9],
    dataFormat: 'channelsFirst',
  });
  const base = sequential({ layers: [conv] });
  expect(() => suggestTaps(base)).toThrow(TapError);
  expect(() => adapt(base, e3va({ taps: 'first' }))).toThrow(/'first' .* reads maps with the channels first/);
});

it('a model without a stream and without maps has nothing to tap', () => {
  const dense = sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
  expect(() => suggestTaps(dense)).toThrow(TapError);
  expect(() => suggestTaps(dense)).toThrow(/nothing that could be a tap/);
});

it.each([
  [224, 7, 32],
  [299, 35, 8], // InceptionV3's maps, without padding
  [299, 17, 16],
  [299, 8, 32],
  [224, 16, 14], // patches of a ViT
  [300, 75, 4],
  [300, 19, 16], // padded
])('an image of %i pixels and a map of %i have stride %i', (image, map, stride) => {
  expect(strideOf(image, map)).toBe(stride);
});
