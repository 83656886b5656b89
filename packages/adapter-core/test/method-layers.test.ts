import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { initializers, type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  adapt,
  adapter,
  adaptFormer,
  adaptLayer,
  bitFit,
  type Layer,
  loRand,
  lora,
  type Method,
  MethodLayerError,
  MethodOptionError,
  methodFromConfig,
  mona,
  norm,
  partial,
  TapError,
} from '../src/index.ts';
import { reload } from './reload.ts';
import { maxDifference, tinyBackbone, tinyChain } from './tiny-model.ts';

const inputShape = [8, 8, 4];
const drawn = initializers.randomNormal({ stddev: 0.4, seed: 2 });
const conv = () =>
  layers.conv2d({
    name: 'fc',
    filters: 4,
    kernelSize: 3,
    padding: 'same',
    activation: 'relu',
    kernelInitializer: drawn,
    inputShape,
  });
const dense = () =>
  layers.dense({ name: 'fc', units: 4, activation: 'tanh', kernelInitializer: drawn, inputShape });
const normed = () => layers.layerNormalization({ name: 'fc', betaInitializer: drawn, inputShape });
const built = (layer: Layer) => {
  layer.apply(tf.zeros([1, ...inputShape]));
  return layer;
};

const cases: [string, () => Layer, Method, number][] = [
  ['lora on a Conv2D', conv, lora({ rank: 2 }), 2 * (36 + 4)],
  ['lora on a Dense', dense, lora({ rank: 2, dora: true, dropout: 0.5 }), 2 * (4 + 4) + 4],
  ['adapter', conv, adapter({ width: 3 }), 24 + 7],
  ['adapter with dropout', dense, adapter({ width: 3, dropout: 0.5, activation: 'relu' }), 24 + 7],
  ['adaptFormer', conv, adaptFormer({ width: 3 }), 24 + 7],
  ['loRand', dense, loRand({ alpha: 1, beta: 2 }), 2 * 2 * (4 + 2) + 4 + 6],
  ['mona', conv, mona({ width: 2 }), 16 + 8 + 2 + 8 + 4 + 2 * 83 + 6 + 6],
  ['bitFit', () => built(conv()), bitFit(), 4],
  ['norm', normed, norm(), 8],
  ['norm on a built layer', () => built(normed()), norm(), 8],
  ['partial', () => built(conv()), partial(), 148],
];

describe.each(['cpu', 'wasm'])('adaptLayer on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
  });
  const images = () => tf.randomNormal([3, ...inputShape], 0, 1, 'float32', 3);

  it.each(cases)('%s: starts as the layer, learns, is saved and loaded', async (_, make, method, count) => {
    const layer = make();
    const adapted = sequential({ layers: [adaptLayer(layer, method)] });
    const trained = adapted.trainableWeights;
    expect(trained.reduce((n, w) => n + w.read().size, 0)).toBe(count);
    const x = images();
    if (layer.built) {
      tf.tidy(() => {
        const [a, b] = [adapted.predict(x), layer.apply(x)] as [tf.Tensor, tf.Tensor];
        expect(maxDifference(a, b)).toBeLessThan(1e-6);
      });
    }
    const frozen = () => adapted.layers[0]!.nonTrainableWeights.map((w) => [...w.read().dataSync()]);
    const before = frozen();
    adapted.compile({ optimizer: tf.train.adam(0.02), loss: 'meanSquaredError' });
    const { history } = await adapted.fit(x, tf.mul(images(), 0.5), { epochs: 12, batchSize: 3, verbose: 0 });
    expect(history.loss!.at(-1)).toBeLessThan(history.loss![0] as number);
    expect(frozen()).toEqual(before);
    const loaded = await reload(adapted);
    tf.tidy(() => {
      expect(maxDifference(adapted.predict(x) as tf.Tensor, loaded.predict(x) as tf.Tensor)).toBe(0);
    });
  });

  it('dropout falls in training alone, and changes nothing on the average', () => {
    const linear = layers.dense({ units: 4, kernelInitializer: drawn, inputShape });
    const adapted = sequential({ layers: [adaptLayer(linear, lora({ rank: 2, dropout: 0.5 }))] });
    const x = images();
    for (const w of adapted.trainableWeights) w.write(tf.ones(w.shape as number[]));
    tf.tidy(() => {
      const call = (training: boolean) => adapted.apply(x, { training }) as tf.Tensor;
      expect(maxDifference(call(false), call(false))).toBe(0);
      expect(maxDifference(call(true), call(true))).toBeGreaterThan(0.01);
      // the mean over many draws is what is computed without
      const mean = (y: tf.Tensor) => tf.mean(tf.abs(y)).dataSync()[0]!;
      const draws = tf.div(tf.addN(Array.from({ length: 200 }, () => call(true))), 200);
      expect(mean(tf.sub(draws, call(false)))).toBeLessThan(0.2 * mean(tf.sub(call(true), call(false))));
    });
  });
});

describe('methods refuse', () => {
  beforeAll(() => tf.setBackend('cpu'));

  const wrong: [string, () => Layer, Method, RegExp][] = [
    ['lora', () => layers.depthwiseConv2d({ kernelSize: 3 }), lora(), /DepthwiseConv2D.*affine: true/s],
    ['lora', () => layers.separableConv2d({ filters: 2, kernelSize: 3 }), lora(), /SeparableConv2D/],
    ['lora', () => layers.lstm({ units: 3 }), lora(), /LSTM/],
    [
      'lora',
      () => layers.conv2d({ filters: 2, kernelSize: 3, dataFormat: 'channelsFirst' }),
      lora(),
      /channels last/,
    ],
    ['lora', () => layers.flatten(), lora(), /Flatten/],
    [
      'bitFit',
      () => built(layers.activation({ activation: 'relu', inputShape })),
      bitFit(),
      /nothing to train/,
    ],
    ['norm', () => built(conv()), norm(), /nothing to train.*kernel, bias/s],
    ['partial', () => conv(), partial(), /must be built/],
  ];
  it.each(wrong)('%s on a layer of another kind (%#)', (_, make, method, message) => {
    expect(() => adaptLayer(make(), method)).toThrow(MethodLayerError);
    expect(() => adaptLayer(make(), method)).toThrow(message);
  });

  it('parallel to a layer that changes the shape, on rows where maps are needed, and projections that do not split', () => {
    const x = tf.zeros([1, 5, 4]);
    const wider = layers.dense({ units: 6 });
    expect(() => adaptLayer(wider, adaptFormer()).apply(x)).toThrow(MethodLayerError);
    expect(() => adaptLayer(layers.dense({ units: 4 }), mona()).apply(x)).toThrow(/needs a map/);
    const qkv = layers.dense({ units: 8, name: 'qkv' });
    expect(() => adaptLayer(qkv, lora()).apply(x)).toThrow(/8 outputs.*not 3 projections/s);
  });

  const options: [string, () => Method, RegExp][] = [
    ['rank', () => lora({ rank: 0 }), /'rank' must be a positive whole number/],
    ['alpha', () => lora({ alpha: -1 }), /'alpha' is out of range/],
    ['dropout', () => lora({ dropout: 1 }), /'dropout'.*below 1/s],
    ['init', () => lora({ init: 'svd' as 'kaiming' }), /kaiming or gaussian/],
    ['dora', () => lora({ dora: 1 as unknown as boolean }), /'dora'/],
    ['fused.on', () => lora({ fused: { parts: 3, on: [0, 3] } }), /from 0 to 2.*\[0,3\]/s],
    ['fused.on', () => lora({ fused: { parts: 3, on: [] } }), /fused.on/],
    ['fused.parts', () => lora({ fused: { parts: 0, on: [0] } }), /fused.parts/],
    ['width', () => adapter({ width: 1.5 }), /'width'/],
    ['activation', () => adapter({ activation: 'tanh' as 'relu' }), /gelu or relu/],
    ['scale', () => adaptFormer({ scale: 0 }), /'scale'/],
    ['beta', () => loRand({ beta: -2 }), /'beta'/],
    ['shared', () => loRand({ shared: 'no' as unknown as boolean }), /true or false/],
    ['dropout', () => mona({ dropout: -0.1 }), /'dropout'/],
    ['weights', () => bitFit({ weights: 'bias' as unknown as RegExp }), /regular expression/],
    ['name', () => methodFromConfig('bitfit', {}), /bitFit, norm/],
  ];
  it.each(options)('%s out of range (%#)', (_, make, message) => {
    expect(make).toThrow(MethodOptionError);
    expect(make).toThrow(message);
  });

  const models: [string, () => LayersModel, Method, RegExp][] = [
    ['no projections', tinyBackbone, lora(), /lora\(\{ targets/],
    ['no such layer', tinyBackbone, lora({ targets: /atn$/ }), /no layer of model 'tiny' matches/],
    ['no residual stream', tinyChain, adaptFormer({ branches: 'conv1' }), /conv2 \(Conv2D\)/],
    ['no normalisation', tinyChain, norm(), /nothing to train in model 'chain'/],
    ['no blocks', tinyChain, partial(), /named after a block.*partial\(\{ layers/s],
    ['layers without weights', tinyBackbone, partial({ layers: /act$/ }), /nothing to train/],
    ['no such weights', tinyBackbone, bitFit({ weights: /^offset$/ }), /nothing to train/],
  ];
  it.each(models)('a model with %s', (_, make, method, message) => {
    const base = make();
    const before = tf.memory().numTensors;
    expect(() => adapt(base, method)).toThrow(TapError);
    expect(() => adapt(base, method)).toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('a model with one layer that does not go, before anything is made', () => {
    const base = tinyBackbone();
    const before = tf.memory().numTensors;
    expect(() => adapt(base, lora({ targets: /mlp$|norm1/ }))).toThrow(/norm1.*LayerNormalization/s);
    expect(tf.memory().numTensors).toBe(before);
  });
});
