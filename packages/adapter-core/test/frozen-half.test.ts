import { ShapeError } from '@e3va/highway-grad';
import { DropPath, LayerNorm, Linear } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { input, layers, type SymbolicTensor, sequential } from '@tensorflow/tfjs-layers';
import { beforeAll, expect, it } from 'vitest';
import { FrozenHalf } from '../src/index.ts';
import { maxDifference } from './tiny-model.ts';

beforeAll(() => tf.setBackend('cpu'));

const apply = (layer: layers.Layer, ...inputs: SymbolicTensor[]) =>
  layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as SymbolicTensor;

it('works token-wise layers through in slices of rows, to the same result', () => {
  const images = input({ shape: [null, null, 2] });
  const hidden = apply(new Linear({ units: 4096, activation: 'gelu' }), apply(new LayerNorm({}), images));
  const half = new FrozenHalf([images], [apply(new Linear({ units: 3 }), hidden)]);
  tf.tidy(() => {
    const x = tf.randomNormal([2, 25, 21, 2], 0, 1, 'float32', 1);
    let widest = 0;
    const { engine } = tf;
    const track = engine().trackTensor;
    engine().trackTensor = function (...args) {
      widest = Math.max(widest, args[0].size);
      return track.apply(this, args);
    };
    const [y] = half.run(x);
    engine().trackTensor = track;
    const whole = half.model.predict(x) as tf.Tensor;
    expect(y!.shape).toEqual([2, 25, 21, 3]);
    expect(maxDifference(y!, whole)).toBeLessThan(1e-6);
    // 1,050 rows of 4,096 would be 17 MB and their temporaries four times that; a slice has 256 rows
    expect(widest).toBe(256 * 4096);
  });
});

it('hands out tensors of its own where a layer passes its input on, or an output is asked for twice', () => {
  const images = input({ shape: [null, null, 2] });
  const same = apply(new DropPath({ rate: 0 }), images);
  const sum = apply(layers.add(), same, images);
  const half = new FrozenHalf([images], [same, sum]);
  const x = tf.ones([1, 3, 3, 2]);
  const before = tf.memory().numTensors;
  const taps = half.run(x);
  expect(taps.map((t) => t.dataSync()[0])).toEqual([1, 2]);
  tf.dispose(taps);
  expect(x.isDisposed).toBe(false);
  expect(tf.memory().numTensors).toBe(before);
  const identity = new FrozenHalf([images], [images]);
  const [copy] = identity.run(x);
  copy!.dispose();
  expect(x.dataSync()[0]).toBe(1);
});

it('says which input it wants', () => {
  const images = input({ shape: [null, null, 2] });
  const half = new FrozenHalf([images], [apply(new Linear({ units: 3 }), images)]);
  expect(() => half.run(tf.ones([3, 3, 2]))).toThrow(ShapeError);
  expect(() => half.run(tf.ones([1, 3, 3, 1]))).toThrow(/expected: \[any, any, any, 2\]/);
});

it('hands masks on, runs nested models with a model as first layer, and layers that are applied twice', () => {
  const steps = input({ shape: [5, 3] });
  const masked = apply(layers.masking({ maskValue: 0 }), steps);
  const recurrent = apply(
    layers.simpleRNN({ units: 4, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
    masked,
  );
  const first = sequential({ layers: [layers.dense({ units: 6, inputShape: [5, 4], activation: 'tanh' })] });
  const nested = sequential({ layers: [first, layers.dense({ units: 4 })] });
  const twice = nested as unknown as layers.Layer;
  const out = apply(twice, apply(twice, apply(layers.activation({ activation: 'linear' }), recurrent)));
  const half = new FrozenHalf([steps], [recurrent, out]);
  const x = tf.mul(tf.randomUniform([2, 5, 3], 1, 2, 'float32', 1), tf.tensor([1, 1, 0, 1, 0], [5, 1]));
  const expected = half.model.predict(x) as tf.Tensor[];
  const before = tf.memory().numTensors;
  const taps = half.run(x);
  expect(tf.memory().numTensors).toBe(before + 2);
  taps.forEach((tap, i) => {
    expect(maxDifference(tap, expected[i]!)).toBe(0);
  });
  // a step that is masked repeats the state of the step before it
  const rows = (at: number) => tf.slice(taps[0]!, [0, at, 0], [2, 1, 4]);
  expect(maxDifference(rows(2), rows(1))).toBe(0);
  expect(maxDifference(rows(3), rows(2))).toBeGreaterThan(1e-3);
});
