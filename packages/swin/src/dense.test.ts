import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { input, layers } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { backends, draw, maxDifference, useBackend } from '../test/helpers.ts';
import { Linear } from './dense.ts';
import { LayerNorm } from './layer-norm.ts';

describe.each(backends)('Linear and LayerNorm on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it('Linear equals the dense layer of tfjs-layers with the same weights', () => {
    tf.tidy(() => {
      const x = draw([2, 3, 4, 5], 1);
      const ours = new Linear({ units: 6 });
      const theirs = layers.dense({ units: 6 });
      const y = ours.apply(x) as tf.Tensor;
      theirs.apply(x);
      theirs.setWeights(ours.getWeights());
      expect(maxDifference(y, theirs.apply(x) as tf.Tensor)).toBeLessThan(1e-6);
    });
  });

  it('the exact gelu follows', () => {
    tf.tidy(() => {
      const layer = new Linear({ units: 1, activation: 'gelu' });
      layer.apply(tf.ones([2, 1]));
      layer.setWeights([tf.ones([1, 1]), tf.zeros([1])]);
      const y = layer.apply(tf.tensor2d([[-1], [0.5], [2]])) as tf.Tensor;
      expect(maxDifference(y, tf.tensor2d([[-0.15865525], [0.34573123], [1.9544997]]))).toBeLessThan(1e-6);
    });
  });

  it('LayerNorm equals that of tfjs-layers with the same weights', () => {
    tf.tidy(() => {
      const x = draw([2, 3, 4, 5], 1, 3);
      const ours = new LayerNorm({});
      const theirs = layers.layerNormalization({ epsilon: 1e-5 });
      ours.apply(x);
      theirs.apply(x);
      for (const layer of [ours, theirs]) layer.setWeights([draw([5], 2), draw([5], 3)]);
      expect(maxDifference(ours.apply(x) as tf.Tensor, theirs.apply(x) as tf.Tensor)).toBeLessThan(2e-6);
    });
  });
});

it('a last axis of unknown size is an error that names the layer', () => {
  const open = input({ shape: [3, null] });
  expect(() => new Linear({ name: 'x.fc', units: 2 }).apply(open)).toThrow(ShapeError);
  expect(() => new LayerNorm({ name: 'x.norm' }).apply(open)).toThrow(
    /x\.norm: the last axis .*\n.*\[null, 3, null\]/,
  );
});
