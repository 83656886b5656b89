import { StreamChange } from '@e3va/adapter-core';
import {
  Gelu,
  PatchConv,
  Resample,
  Scale,
  SelfAttention,
  TokenEmbedding,
  TokenMap,
  UpConv,
} from '@e3va/backbones';
import {
  AdaptiveAveragePool,
  AddNearest,
  AddResized,
  BatchNorm,
  ChannelDropout,
  Conv,
  Subsample,
} from '@e3va/head-layers';
import {
  CosineWindowAttention,
  DropPath,
  LayerNorm,
  Linear,
  PatchGather,
  WindowAttention,
  WindowPartition,
  WindowReverse,
} from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { builtIn } from '../src/registry.ts';
import { difference, draw, modelOf } from './helpers.ts';

interface Case {
  name: string;
  make: () => layers.Layer;
  /** Shapes of the inputs, batch first. */
  shapes: number[][];
}

const map = [[2, 7, 9, 8]];
const images = (height: number, width: number) => [2, height, width, 3];

const cases: Case[] = [
  { name: 'Linear', make: () => new Linear({ units: 5 }), shapes: map },
  {
    name: 'Linear with GELU, without bias',
    make: () => new Linear({ units: 5, useBias: false, activation: 'gelu' }),
    shapes: [[2, 9, 8]],
  },
  { name: 'LayerNorm', make: () => new LayerNorm({ epsilon: 0.01 }), shapes: map },
  { name: 'DropPath', make: () => new DropPath({ rate: 0.5 }), shapes: map },
  { name: 'PatchGather', make: () => new PatchGather({ size: 2 }), shapes: map },
  { name: 'PatchGather of whole patches', make: () => new PatchGather({ size: 4 }), shapes: [[2, 8, 4, 3]] },
  { name: 'WindowPartition', make: () => new WindowPartition({ window: 4 }), shapes: map },
  { name: 'WindowPartition shifted', make: () => new WindowPartition({ window: 4, shift: 2 }), shapes: map },
  {
    name: 'WindowPartition of a map smaller than a window',
    make: () => new WindowPartition({ window: 7, shift: 3 }),
    shapes: [[2, 2, 5, 3]],
  },
  { name: 'WindowReverse', make: () => new WindowReverse({ window: 4 }), shapes: [[12, 16, 5], ...map] },
  {
    name: 'WindowReverse shifted',
    make: () => new WindowReverse({ window: 4, shift: 2 }),
    shapes: [[12, 16, 5], ...map],
  },
  {
    name: 'WindowReverse of a map smaller than a window',
    make: () => new WindowReverse({ window: 7, shift: 3 }),
    shapes: [
      [2, 49, 5],
      [2, 2, 5, 3],
    ],
  },
  {
    name: 'WindowAttention',
    make: () => new WindowAttention({ heads: 2, window: 4 }),
    shapes: [[12, 16, 24], ...map],
  },
  {
    name: 'WindowAttention shifted',
    make: () => new WindowAttention({ heads: 2, window: 4, shift: 2 }),
    shapes: [[12, 16, 24], ...map],
  },
  {
    name: 'WindowAttention of one window',
    make: () => new WindowAttention({ heads: 2, window: 4, shift: 2 }),
    shapes: [
      [2, 16, 24],
      [2, 3, 2, 8],
    ],
  },
  {
    name: 'CosineWindowAttention',
    make: () => new CosineWindowAttention({ heads: 2, window: 4, pretrainedWindow: 3 }),
    shapes: [[12, 16, 24], ...map],
  },
  {
    name: 'CosineWindowAttention shifted',
    make: () => new CosineWindowAttention({ heads: 2, window: 4, shift: 2 }),
    shapes: [[12, 16, 24], ...map],
  },
  { name: 'Scale', make: () => new Scale(), shapes: map },
  { name: 'Gelu', make: () => new Gelu(), shapes: map },
  { name: 'PatchConv', make: () => new PatchConv({ filters: 5, size: 2 }), shapes: map },
  { name: 'PatchConv padded', make: () => new PatchConv({ filters: 5, size: 4, edge: 'pad' }), shapes: map },
  { name: 'UpConv', make: () => new UpConv({ filters: 5 }), shapes: map },
  { name: 'SelfAttention', make: () => new SelfAttention({ heads: 2 }), shapes: [[2, 11, 24]] },
  {
    name: 'TokenEmbedding of its own grid',
    make: () => new TokenEmbedding({ grid: 4, registers: 2 }),
    shapes: [[2, 4, 4, 6]],
  },
  {
    name: 'TokenEmbedding of a larger grid',
    make: () => new TokenEmbedding({ grid: 4 }),
    shapes: [[2, 5, 9, 6]],
  },
  {
    name: 'TokenEmbedding of a smaller grid',
    make: () => new TokenEmbedding({ grid: 7 }),
    shapes: [[2, 3, 5, 6]],
  },
  {
    name: 'TokenEmbedding of a larger grid, smooth',
    make: () => new TokenEmbedding({ grid: 4, antialias: true, registers: 1 }),
    shapes: [[2, 5, 9, 6]],
  },
  {
    name: 'TokenEmbedding of a smaller grid, smooth',
    make: () => new TokenEmbedding({ grid: 7, antialias: true }),
    shapes: [[2, 3, 2, 6]],
  },
  { name: 'TokenMap', make: () => new TokenMap({ patch: 4, skip: 2 }), shapes: [[2, 17, 6], images(17, 10)] },
  {
    name: 'Resample to a finer map',
    make: () => new Resample({ from: 16, to: 4 }),
    shapes: [[2, 3, 2, 6], images(40, 25)],
  },
  {
    name: 'Resample from 14 to 16',
    make: () => new Resample({ from: 14, to: 16 }),
    shapes: [[2, 4, 3, 6], images(50, 33)],
  },
  {
    name: 'Resample to a coarser map',
    make: () => new Resample({ from: 14, to: 32 }),
    shapes: [[2, 8, 5, 6], images(100, 63)],
  },
  { name: 'Conv', make: () => new Conv({ filters: 5, kernelSize: 3, activation: 'relu' }), shapes: map },
  {
    name: 'Conv strided',
    make: () => new Conv({ filters: 5, kernelSize: 3, stride: 2, useBias: false }),
    shapes: [[2, 8, 9, 4]],
  },
  {
    name: 'Conv of several maps',
    make: () => new Conv({ filters: 5, kernelSize: 3 }),
    shapes: [...map, [2, 4, 5, 3], [2, 2, 3, 4]],
  },
  { name: 'AddResized', make: () => new AddResized({}), shapes: [...map, [2, 4, 3, 8]] },
  { name: 'AddNearest', make: () => new AddNearest({}), shapes: [...map, [2, 4, 5, 8]] },
  { name: 'BatchNorm', make: () => new BatchNorm({ activation: 'relu' }), shapes: map },
  { name: 'ChannelDropout', make: () => new ChannelDropout({ rate: 0.5 }), shapes: map },
  { name: 'StreamChange', make: () => new StreamChange({}), shapes: [...map, ...map] },
  { name: 'Subsample', make: () => new Subsample({}), shapes: map },
  { name: 'AdaptiveAveragePool', make: () => new AdaptiveAveragePool({ size: [3, 2] }), shapes: map },
  {
    name: 'AdaptiveAveragePool upwards',
    make: () => new AdaptiveAveragePool({ size: [6, 5] }),
    shapes: [[2, 2, 3, 4]],
  },
];

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('a layer gives the same in ONNX Runtime', () => {
  test.each(cases)('$name', async ({ make, shapes }) => {
    const inputs = shapes.map((shape, i) => draw(shape, i));
    const model = modelOf(make(), shapes, true);
    expect(await difference(model, inputs), 'sizes open').toBeLessThan(1e-5);
    expect(await difference(model, inputs, { inputShapes: shapes, opset: 21 }), 'known').toBeLessThan(1e-5);
    model.dispose();
    tf.dispose(inputs);
  });

  test('and each class of ours that has a converter is among them', () => {
    const tested = cases.map(({ make }) => make().getClassName());
    const classes = Object.keys(builtIn).filter((name) => name.startsWith('E3va'));
    expect(classes.filter((name) => !tested.includes(name))).toEqual([]);
  });
});
