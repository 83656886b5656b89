import * as tf from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { builtIn } from '../src/registry.ts';
import { difference, draw, modelOf } from './helpers.ts';

interface Case {
  name: string;
  make: () => layers.Layer;
  /** Shapes of the inputs, batch first. */
  shapes: number[][];
  /** Whether the sizes between batch and channels may be open. */
  open?: boolean;
}

const map = [[2, 7, 9, 4]];
const sequence = [[2, 9, 4]];
const pair = [
  [2, 5, 6, 3],
  [2, 5, 6, 3],
];

/** Layers that work on maps of any size. */
const onMaps: Case[] = [
  ...(['valid', 'same'] as const).flatMap((padding) => [
    {
      name: `Conv2D ${padding}`,
      make: () => layers.conv2d({ filters: 5, kernelSize: [3, 2], padding }),
      shapes: map,
    },
    {
      name: `Conv2D ${padding} strided`,
      make: () => layers.conv2d({ filters: 5, kernelSize: 3, strides: [2, 3], padding, activation: 'relu' }),
      shapes: map,
    },
    {
      name: `Conv2D ${padding} dilated`,
      make: () => layers.conv2d({ filters: 5, kernelSize: 3, dilationRate: 2, padding, useBias: false }),
      shapes: map,
    },
    {
      name: `DepthwiseConv2D ${padding}`,
      make: () => layers.depthwiseConv2d({ kernelSize: 3, strides: 2, depthMultiplier: 3, padding }),
      shapes: map,
    },
    {
      name: `SeparableConv2D ${padding}`,
      make: () =>
        layers.separableConv2d({
          filters: 5,
          kernelSize: 3,
          depthMultiplier: 2,
          padding,
          activation: 'tanh',
        }),
      shapes: map,
    },
    {
      name: `Conv2DTranspose ${padding}`,
      make: () => layers.conv2dTranspose({ filters: 5, kernelSize: 3, strides: 2, padding }),
      shapes: map,
    },
    {
      name: `Conv2DTranspose ${padding} with gaps`,
      make: () => layers.conv2dTranspose({ filters: 5, kernelSize: 2, strides: 3, padding }),
      shapes: map,
    },
    {
      name: `MaxPooling2D ${padding}`,
      make: () => layers.maxPooling2d({ poolSize: 3, strides: 2, padding }),
      shapes: map,
    },
    {
      name: `AveragePooling2D ${padding}`,
      make: () => layers.averagePooling2d({ poolSize: [2, 3], strides: 2, padding }),
      shapes: map,
    },
    {
      name: `Conv1D ${padding}`,
      make: () => layers.conv1d({ filters: 5, kernelSize: 3, strides: 2, padding }),
      shapes: sequence,
    },
    {
      name: `MaxPooling1D ${padding}`,
      make: () => layers.maxPooling1d({ poolSize: 2, strides: 2, padding }),
      shapes: sequence,
    },
    {
      name: `AveragePooling1D ${padding}`,
      make: () => layers.averagePooling1d({ poolSize: 3, strides: 2, padding }),
      shapes: sequence,
    },
  ]),
  { name: 'GlobalAveragePooling1D', make: () => layers.globalAveragePooling1d(), shapes: sequence },
  { name: 'GlobalMaxPooling1D', make: () => layers.globalMaxPooling1d(), shapes: sequence },
  { name: 'GlobalAveragePooling2D', make: () => layers.globalAveragePooling2d({}), shapes: map },
  { name: 'GlobalMaxPooling2D', make: () => layers.globalMaxPooling2d({}), shapes: map },
  { name: 'UpSampling2D nearest', make: () => layers.upSampling2d({ size: [2, 3] }), shapes: map },
  {
    name: 'UpSampling2D bilinear',
    make: () => layers.upSampling2d({ size: [3, 2], interpolation: 'bilinear' }),
    shapes: map,
  },
  {
    name: 'ZeroPadding2D',
    make: () =>
      layers.zeroPadding2d({
        padding: [
          [1, 2],
          [0, 3],
        ],
      }),
    shapes: map,
  },
  {
    name: 'Cropping2D',
    make: () =>
      layers.cropping2D({
        cropping: [
          [1, 2],
          [0, 3],
        ],
      }),
    shapes: map,
  },
  { name: 'BatchNormalization', make: () => layers.batchNormalization({ epsilon: 0.01 }), shapes: map },
  {
    name: 'BatchNormalization without scale and centre',
    make: () => layers.batchNormalization({ scale: false, center: false }),
    shapes: map,
  },
  { name: 'LayerNormalization', make: () => layers.layerNormalization({ epsilon: 0.01 }), shapes: map },
  {
    name: 'LayerNormalization without scale',
    make: () => layers.layerNormalization({ scale: false }),
    shapes: map,
  },
  { name: 'Dense', make: () => layers.dense({ units: 5, activation: 'sigmoid' }), shapes: map },
  { name: 'ReLU', make: () => layers.reLU({}), shapes: map },
  { name: 'ReLU6', make: () => layers.reLU({ maxValue: 0.6 }), shapes: map },
  { name: 'LeakyReLU', make: () => layers.leakyReLU({ alpha: 0.2 }), shapes: map },
  { name: 'PReLU', make: () => layers.prelu({ sharedAxes: [1, 2] }), shapes: map },
  { name: 'ELU', make: () => layers.elu(), shapes: map },
  { name: 'ThresholdedReLU', make: () => layers.thresholdedReLU({ theta: 0.3 }), shapes: map },
  { name: 'Softmax', make: () => layers.softmax({ axis: -1 }), shapes: map },
  { name: 'Rescaling', make: () => layers.rescaling({ scale: 2, offset: -1 }), shapes: map },
  { name: 'Dropout', make: () => layers.dropout({ rate: 0.5 }), shapes: map },
  { name: 'SpatialDropout1D', make: () => layers.spatialDropout1d({ rate: 0.5 }), shapes: sequence },
  { name: 'GaussianNoise', make: () => layers.gaussianNoise({ stddev: 1 }), shapes: map },
  { name: 'GaussianDropout', make: () => layers.gaussianDropout({ rate: 0.5 }), shapes: map },
  { name: 'AlphaDropout', make: () => layers.alphaDropout({ rate: 0.5 }), shapes: map },
  { name: 'Permute', make: () => layers.permute({ dims: [2, 1, 3] }), shapes: map },
  { name: 'Reshape', make: () => layers.reshape({ targetShape: [-1, 2] }), shapes: map },
  { name: 'Add', make: () => layers.add(), shapes: [...pair, ...pair.slice(1)] },
  { name: 'Multiply', make: () => layers.multiply(), shapes: pair },
  { name: 'Average', make: () => layers.average(), shapes: [...pair, ...pair.slice(1)] },
  { name: 'Maximum', make: () => layers.maximum(), shapes: pair },
  { name: 'Minimum', make: () => layers.minimum(), shapes: pair },
  { name: 'Concatenate', make: () => layers.concatenate(), shapes: pair },
  { name: 'Concatenate of rows', make: () => layers.concatenate({ axis: 1 }), shapes: pair },
];

/** Layers that need to know sizes. */
const onKnown: Case[] = [
  { name: 'Flatten', make: () => layers.flatten(), shapes: map },
  {
    name: 'LayerNormalization of maps',
    make: () => layers.layerNormalization({ axis: [1, 2, 3] }),
    shapes: map,
  },
  { name: 'PReLU of every entry', make: () => layers.prelu(), shapes: map },
  { name: 'RepeatVector', make: () => layers.repeatVector({ n: 3 }), shapes: [[2, 5]] },
  {
    name: 'Multiply of two ranks',
    make: () => layers.multiply(),
    shapes: [
      [2, 4, 5, 3],
      [2, 3],
    ],
  },
  {
    name: 'Add of one for all',
    make: () => layers.add(),
    shapes: [
      [2, 4, 5, 3],
      [2, 1, 1, 3],
    ],
  },
  {
    name: 'Dot of vectors',
    make: () => layers.dot({ axes: -1 }),
    shapes: [
      [2, 5],
      [2, 5],
    ],
  },
  {
    name: 'Dot of rows',
    make: () => layers.dot({ axes: 2 }),
    shapes: [
      [2, 4, 5],
      [2, 3, 5],
    ],
  },
  {
    name: 'Dot of columns',
    make: () => layers.dot({ axes: [1, 1] }),
    shapes: [
      [2, 5, 4],
      [2, 5, 3],
    ],
  },
  {
    name: 'Dot as a product',
    make: () => layers.dot({ axes: [2, 1] }),
    shapes: [
      [2, 4, 5],
      [2, 5, 3],
    ],
  },
];

const activations = [
  'linear', 'relu', 'relu6', 'elu', 'selu', 'sigmoid', 'hardSigmoid', 'softplus', 'softsign', 'tanh', 'softmax',
  'logSoftmax', 'gelu', 'gelu_new', 'swish', 'mish',
] as const; // biome-ignore format: one line a kind

beforeAll(async () => {
  await tf.setBackend('cpu');
});

async function check({ make, shapes }: Case, open: boolean): Promise<void> {
  const inputs = shapes.map((shape, i) => draw(shape, i));
  const model = modelOf(make(), shapes, open);
  expect(await difference(model, inputs)).toBeLessThan(2e-6);
  expect(await difference(model, inputs, { inputShapes: shapes, opset: 21 })).toBeLessThan(2e-6);
  model.dispose();
  tf.dispose(inputs);
}

describe('a layer gives the same in ONNX Runtime', () => {
  test.each(onMaps)('$name', (one) => check(one, true));
  test.each(onKnown)('$name', (one) => check(one, false));
  test.each(activations)('Activation %s', (activation) =>
    check(
      {
        name: activation,
        make: () => layers.activation({ activation: activation as 'relu' }),
        shapes: [[2, 3, 4, 5]],
      },
      true,
    ),
  );

  test.each(['int32', 'float32'] as const)('Embedding of %s', async (dtype) => {
    const ids = tf.tensor2d(
      [
        [1, 5, 0],
        [19, 3, 3],
      ],
      [2, 3],
      dtype,
    );
    const layer = layers.embedding({ inputDim: 20, outputDim: 6, maskZero: true });
    expect(await difference(modelOf(layer, [[2, 3]], true, dtype), [ids])).toBe(0);
  });

  test('and each class of tfjs-layers that has a converter is among them', () => {
    const tested = [...onMaps, ...onKnown].map(({ make }) => make().getClassName());
    const classes = Object.keys(builtIn).filter((name) => !name.startsWith('E3va'));
    expect(classes.filter((name) => !tested.includes(name))).toEqual(['Embedding', 'Activation']);
  });
});
