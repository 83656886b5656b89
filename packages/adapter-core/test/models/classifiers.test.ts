import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import {
  input,
  type LayersModel,
  layers,
  model,
  type SymbolicTensor,
  sequential,
} from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { adapt, type E3vaOptions, e3va, TapError } from '../../src/index.ts';
import { maxDifference, weightBytes } from '../tiny-model.ts';
import * as architectures from './architectures.ts';
import { built, sine } from './zoo.ts';

const apply = (layer: layers.Layer, ...x: SymbolicTensor[]) =>
  layer.apply(x.length === 1 ? x[0]! : x) as SymbolicTensor;
const inputsOf = (base: LayersModel) =>
  base.inputs.map(({ shape }) => sine([2, ...(shape.slice(1) as number[])]));
const one = <T>(list: T[]): T | T[] => (list.length === 1 ? list[0]! : list);
const list = (result: unknown) => [result].flat() as tf.Tensor[];
const predict = (m: LayersModel, x: tf.Tensor[]) => list(m.predict(one(x)));

/** A classifier of one convolution, batch normalisation and two dense layers, the last in a nested model. */
function oneMap(): LayersModel {
  const x = input({ shape: [8, 8, 3], name: 'pixels' });
  const map = apply(layers.conv2d({ name: 'conv', filters: 6, kernelSize: 3, activation: 'relu' }), x);
  const pooled = apply(layers.globalAveragePooling2d({ name: 'gap' }), map);
  const normed = apply(layers.batchNormalization({ name: 'bn' }), pooled);
  const head = sequential({
    name: 'head',
    layers: [
      layers.dropout({ name: 'drop', rate: 0.5, inputShape: [6] }),
      layers.dense({ name: 'logits', units: 4, activation: 'softmax' }),
    ],
  });
  return model({ inputs: x, outputs: apply(head as unknown as layers.Layer, normed), name: 'one_map' });
}

/** The adapted classifier of {@link oneMap} in plain operations: the map plus an adapter's change, then the rest. */
function plain(map: tf.Tensor4D, w: Record<string, tf.Tensor>): tf.Tensor {
  const [batch, height, width, c] = map.shape;
  const rows = tf.reshape(map, [-1, c]);
  const factor = (name: string) => tf.squeeze(w[`highway.stage0/${name}`]!, [0]) as tf.Tensor2D;
  const project = (t: tf.Tensor2D, name: string) =>
    tf.add(
      tf.matMul(tf.matMul(t, factor(`${name}_q`)), factor(`${name}_p`)),
      w[`highway.stage0/${name}_bias`]!,
    ) as tf.Tensor2D;
  const down = project(rows as tf.Tensor2D, 'down');
  const gelu = tf.mul(tf.mul(down, 0.5), tf.add(1, tf.erf(tf.div(down, Math.SQRT2)))) as tf.Tensor2D;
  const changed = tf.reshape(tf.add(rows, project(gelu, 'up')), [batch, height * width, c]);
  const pooled = tf.mean(changed, 1) as tf.Tensor2D;
  const scale = tf.div(w.gamma!, tf.sqrt(tf.add(w.moving_variance!, 1e-3)));
  const normed = tf.add(tf.mul(tf.sub(pooled, w.moving_mean!), scale), w.beta!) as tf.Tensor2D;
  return tf.softmax(tf.add(tf.matMul(normed, w.kernel as tf.Tensor2D), w.bias!) as tf.Tensor2D);
}

describe.each(['cpu', 'wasm'])('e3va on classifiers, on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
  });

  it('equals plain operations, gradients too', () => {
    const base = oneMap();
    const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0.4, 0.3, 'float32', seed);
    base.getLayer('bn').setWeights([1, 2, 3, 4].map((seed) => tf.abs(random([6], seed))));
    const options: E3vaOptions = { taps: 'conv', rank: 2, init: 'kaiming', alsoTrain: ['bn', 'head'] };
    const adapted = adapt(base, e3va(options));
    const trained = adapted.trainableWeights;
    expect(trained.map((w) => w.originalName.replace(/^.*\//, '')).sort()).toEqual(
      ['beta', 'bias', 'down_bias', 'down_p', 'down_q', 'gamma', 'kernel', 'up_bias', 'up_p', 'up_q'].sort(),
    );
    const x = sine([2, 8, 8, 3]);
    const target = tf.tensor2d([1, 0, 0, 0, 0, 0, 1, 0], [2, 4]);
    const loss = (y: tf.Tensor) => tf.mean(tf.square(tf.sub(y, target))) as tf.Scalar;
    const [mean, variance] = base.getLayer('bn').getWeights().slice(2);
    const keys = trained.map(({ originalName: name }) =>
      name.startsWith('highway.stage0') ? name : name.replace(/^.*\//, ''),
    );
    const map = adapted.base.getLayer('conv').apply(x) as tf.Tensor4D;
    const composed = (...values: tf.Tensor[]) =>
      plain(map, {
        ...Object.fromEntries(keys.map((key, i) => [key, values[i]!])),
        moving_mean: mean!,
        moving_variance: variance!,
      });
    const values = trained.map((w) => w.read());
    const expected = composed(...values);
    expect(maxDifference(adapted.apply(x)[0]!, expected)).toBeLessThan(1e-6);
    expect(maxDifference(adapted.model.predict(x) as tf.Tensor, expected)).toBeLessThan(1e-6);
    const wanted = tf.grads((...v: tf.Tensor[]) => loss(composed(...v)))(values);
    const variables = values as unknown as tf.Variable[];
    const { grads } = tf.variableGrads(() => loss(adapted.apply(x, { training: true })[0]!), variables);
    variables.forEach((variable, i) => {
      const scale = Math.max(1e-3, tf.max(tf.abs(wanted[i]!)).dataSync()[0]!);
      expect(maxDifference(grads[variable.name]!, wanted[i]!) / scale, keys[i]).toBeLessThan(1e-4);
    });
  });

  it.each(Object.entries(architectures))(
    '%s: fresh as the base; a step of fit lowers the loss and leaves the base',
    async (_, make) => {
      const base = make();
      const bytes = weightBytes(base);
      const x = inputsOf(base);
      const own = predict(base, x);
      const adapted = adapt(base, e3va({ rank: 2 }));
      predict(adapted.model, x).forEach((y, i) => {
        expect(maxDifference(y, own[i]!)).toBeLessThan(1e-5);
      });
      const square = (target: tf.Tensor, y: tf.Tensor) => tf.mean(tf.square(tf.sub(y, target)));
      adapted.model.compile({ optimizer: tf.train.adam(1e-3), loss: square });
      const firstChannel = (y: tf.Tensor) => tf.oneHot(tf.scalar(0, 'int32'), y.shape.at(-1)!);
      const targets = one(own.map((y) => tf.add(y, tf.mul(firstChannel(y), 0.3))));
      const train = async () => {
        const { history } = await adapted.model.fit(one(x), targets, { batchSize: 2, verbose: 0 });
        return history.loss![0] as number;
      };
      const first = await train();
      const held = tf.memory().numTensors;
      const later = [await train(), await train()];
      expect(tf.memory().numTensors).toBe(held);
      expect(Math.min(...later)).toBeLessThan(first);
      expect(weightBytes(base)).toEqual(bytes);
    },
  );
});

describe('e3va on classifiers', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('trains what alsoTrain names even where the base was saved frozen, and no statistics', async () => {
    const base = oneMap();
    for (const layer of base.layers) layer.trainable = false;
    const bytes = weightBytes(base);
    const adapted = adapt(base, e3va({ taps: 'conv', rank: 2, alsoTrain: /^(bn|head)$/ }));
    const before = adapted.trainableWeights.map((w) => w.read().dataSync().slice());
    expect(before.length).toBe(10);
    const x = inputsOf(base);
    adapted.model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
    await adapted.model.fit(one(x), tf.zeros([2, 4]), { epochs: 3, verbose: 0 });
    adapted.trainableWeights.forEach((w, i) => {
      expect(w.read().dataSync(), w.originalName).not.toEqual(before[i]);
    });
    expect(weightBytes(base)).toEqual(bytes);
  });

  it('alsoTrain says which layers it can train', () => {
    const base = oneMap();
    const also = (alsoTrain: string | RegExp | string[]) => () =>
      adapt(base, e3va({ taps: 'conv', alsoTrain }));
    const before = tf.memory().numTensors;
    expect(also('nosuch')).toThrow(TapError);
    expect(also(['bn', 'conv'])).toThrow(/matches conv\n[\s\S]*stand on the highway: bn, head/);
    expect(also(/^gap$/)).toThrow(/that has weights matches/);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('a tap behind the last map says so; so does a map of one pixel, or none at all', () => {
    const base = architectures.squeezeExcite();
    const taps = (pattern: string | RegExp, on = base) => {
      return () => adapt(on, e3va({ taps: pattern, transition: 'pool-project' }));
    };
    const before = tf.memory().numTensors;
    expect(taps('fc')).toThrow(TapError);
    expect(taps('fc')).toThrow(/tap 'fc' stands behind the last map, 's2b1_se'/);
    expect(taps('fc')).toThrow(/alsoTrain: 'fc'/);
    expect(taps(/se_expand$/)).toThrow(/tap 's0b0_se_expand' is no map/);
    const vectors = architectures.residualVectors();
    const held = tf.memory().numTensors;
    expect(taps('b0_out', vectors)).toThrow(/output 'fc' of model 'vectors' has no map in front of it/);
    expect(tf.memory().numTensors).toBe(held);
    expect(tf.memory().numTensors).toBeGreaterThanOrEqual(before);
  });

  it('the towers of several inputs do not see each other in front of their junction', () => {
    const base = architectures.towers();
    const adapted = adapt(base, e3va({ rank: 2, init: 'kaiming' }));
    const [left, right, meta] = inputsOf(base) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const [joint, alone] = predict(adapted.model, [left, right, meta]);
    const [other, same] = predict(adapted.model, [left, tf.mul(right, 2), meta]);
    expect(maxDifference(joint!, other!)).toBeGreaterThan(1e-4);
    expect(maxDifference(alone!, same!)).toBe(0);
    const [own] = predict(base, [left, right, meta]);
    expect(maxDifference(joint!, own!)).toBeGreaterThan(1e-4);
  });

  it('a batch normalisation that ends a level belongs to its convolution: the level gets the change of a tap there', () => {
    const x = input({ shape: [16, 16, 3], name: 'x' });
    const ends: SymbolicTensor[] = [];
    let y = x;
    for (const name of ['a', 'b']) {
      const conv = layers.conv2d({ name, filters: 4, kernelSize: 3, strides: 2, padding: 'same' });
      ends.push(apply(layers.batchNormalization({ name: `${name}_bn` }), apply(conv, y)));
      y = apply(layers.reLU({ name: `${name}_relu` }), ends.at(-1)!);
    }
    const base = model({ inputs: x, outputs: ends, name: 'levels' });
    const adapted = adapt(base, e3va({ taps: /_bn$/, rank: 2, init: 'kaiming' }));
    const names = adapted.trainableWeights.map((w) => w.originalName);
    expect(names.filter((name) => /gamma|beta/.test(name))).toEqual([]);
    const input0 = sine([2, 16, 16, 3]);
    predict(base, [input0]).forEach((own, i) => {
      expect(maxDifference(adapted.apply(input0)[i]!, own)).toBeGreaterThan(1e-4);
    });
  });

  it('nothing of the base in front of the junction is on the tape', () => {
    const base = architectures.mobileNetV1();
    const adapted = adapt(base, e3va({ rank: 2 }));
    const [x] = inputsOf(base);
    const seen: string[] = [];
    tf.tidy(() => {
      tf.variableGrads(
        () => {
          const loss = tf.mean(adapted.apply(x!, { training: true })[0]!) as tf.Scalar;
          const { activeTape } = (
            tf.engine() as unknown as { state: { activeTape: { kernelName: string }[] } }
          ).state;
          seen.push(...activeTape.map(({ kernelName }) => kernelName));
          return loss;
        },
        adapted.trainableWeights.map((w) => w.read() as unknown as tf.Variable),
      );
    });
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter((name) => /conv|batchnorm|relu/i.test(name))).toEqual([]);
  });

  it('refuses taps in front of a layer that reads a mask, since the mask ends with the frozen half', () => {
    const tokens = input({ shape: [5], name: 'tokens' });
    const embedded = apply(layers.embedding({ inputDim: 9, outputDim: 4, maskZero: true }), tokens);
    const branch = apply(layers.dense({ name: 'branch', units: 4 }), embedded);
    const sum = apply(layers.add({ name: 'sum' }), embedded, branch);
    const lstm = layers.lstm({ name: 'lstm', units: 3, recurrentInitializer: 'glorotNormal' });
    const base = model({ inputs: tokens, outputs: apply(lstm, sum) });
    expect(() => adapt(base, e3va({ taps: 'branch', rank: 2 }))).toThrow(
      /layer 'lstm' \(LSTM\) .* reads a mask/,
    );
  });

  it('a mask inside the frozen half is read as in the base', () => {
    const base = built.text();
    const hidden = apply(
      layers.dense({ name: 'hidden', units: 6 }),
      base.getLayer('lstm').output as SymbolicTensor,
    );
    const sum = apply(layers.add(), hidden, base.getLayer('lstm').output as SymbolicTensor);
    const whole = model({ inputs: base.inputs, outputs: sum });
    const adapted = adapt(whole, e3va({ taps: 'hidden', rank: 2 }));
    const x = tf.tensor2d([
      [3, 4, 5, 0, 0, 0, 0, 0, 0],
      [1, 2, 0, 0, 0, 0, 0, 0, 0],
    ]);
    const own = whole.predict(x) as tf.Tensor;
    const before = tf.memory().numTensors;
    const [taps] = adapted.apply(x);
    expect(maxDifference(taps!, own)).toBeLessThan(1e-6);
    tf.dispose(taps!);
    expect(tf.memory().numTensors).toBe(before);
  });
});
