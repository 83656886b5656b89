import { resizeBilinear, ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { input, model, models, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { expectLayerContract } from '../../../../tests/support/layer-contract.ts';
import { expectClose, normal, onBackends } from '../../../../tests/support/tensors.ts';
import { cubicMatrix } from './cubic.ts';
import { gridOf, positionResize } from './position-resize.ts';
import { Resample } from './resample.ts';
import { TokenMap } from './token-map.ts';
import { resizePositions, TokenEmbedding } from './tokens.ts';

onBackends('tokens', () => {
  it('keep the layer contract', async () => {
    await expectLayerContract(new TokenEmbedding({ name: 'embed', grid: 3 }), [[2, 4, 5, 6]]);
    const more = { name: 'more', grid: 4, registers: 2, antialias: true };
    await expectLayerContract(new TokenEmbedding(more), [[1, 3, 2, 5]]);
  });

  it('become a map again, and say so if the images are others', async () => {
    const tokens = normal<tf.Rank.R3>([2, 3 + 6, 4], 1);
    const images = tf.zeros([2, 30, 17, 3]);
    const layer = new TokenMap({ name: 'map', patch: 15, skip: 3 });
    const inputs = [input({ shape: [null, 4] }), input({ shape: [null, null, 3] })];
    const net = model({ inputs, outputs: layer.apply(inputs) as SymbolicTensor });
    const again = await models.modelFromJSON(JSON.parse(net.toJSON() as string));
    expect(again.getLayer('map').getConfig()).toEqual(layer.getConfig());
    expect(() => net.predict([tokens, images])).toThrow(ShapeError);
    expect(() => net.predict([tokens, images])).toThrow(/3 \+ 2 × 2 tokens\n.*9/);
    const wide = tf.zeros([2, 30, 45, 3]);
    const map = net.predict([tokens, wide]) as tf.Tensor;
    expect(map.shape).toEqual([2, 2, 3, 4]);
    expect(
      layer.computeOutputShape([
        [2, 9, 4],
        [2, 30, 45, 3],
      ]),
    ).toEqual([2, 2, 3, 4]);
    expectClose(map, tf.slice(tokens, [0, 3, 0], [2, 6, 4]), 0);
    const slopes = tf.grad((t) => tf.sum(tf.mul(layer.call([t, wide]), map)))(tokens);
    expectClose(tf.slice(slopes, [0, 3, 0], [2, 6, 4]), map, 0);
    expectClose(tf.slice(slopes, [0, 0, 0], [2, 3, 4]), tf.zeros([2, 3, 4]), 0);
  });

  it('are resampled to where the strides say, with the right gradient', () => {
    const map = normal<tf.Rank.R4>([2, 4, 6, 3], 1);
    const images = tf.zeros<tf.Rank.R4>([2, 64, 96, 3]);
    const at = (to: number, from = 16) => new Resample({ name: `to${to}`, from, to }).call([map, images]);
    expectClose(at(4), resizeBilinear(map, [16, 24]), 1e-5);
    expectClose(at(8), resizeBilinear(map, [8, 12]), 1e-5);
    expect(at(16)).toBe(map);
    expectClose(at(32), tf.avgPool(map, 2, 2, 'valid'), 1e-5);
    // a plane stays the same plane at any stride, away from the edges
    const plane = (size: number, stride: number) =>
      Array.from({ length: size }, (_, i) => (i + 0.5) * stride);
    const ramp = tf.tensor4d(plane(8, 14), [1, 8, 1, 1]);
    const rampImage = tf.zeros<tf.Rank.R4>([1, 112, 4, 3]);
    for (const to of [4, 8, 16]) {
      const got = (new Resample({ from: 14, to }).call([ramp, rampImage]) as tf.Tensor4D).dataSync();
      const wanted = plane(112 / to, to).filter((y) => y >= 7 && y <= 105);
      const skip = plane(112 / to, to).findIndex((y) => y >= 7);
      expectClose([...got].slice(skip, skip + wanted.length), wanted, 2e-4);
    }
    const layer = new Resample({ from: 14, to: 32 });
    const odd = tf.zeros<tf.Rank.R4>([2, 50, 81, 3]);
    const up = normal<tf.Rank.R4>([2, 2, 3, 3], 2);
    const loss = (x: tf.Tensor) => tf.sum(tf.mul(layer.call([x, odd]), up));
    const slope = tf.sum(tf.mul(tf.grad(loss)(map), map)).dataSync()[0]!;
    expect(Math.abs(slope - loss(map).dataSync()[0]!)).toBeLessThan(1e-4); // it is linear
  });

  it('keep their positions on the same grid, and resize a table as they resize themselves', () => {
    const table = normal<tf.Rank.R2>([16, 3], 1);
    expect(resizePositions(table, [4, 4], false)).toBe(table);
    for (const antialias of [false, true]) {
      for (const grid of [3, 4, 7]) {
        const whole = tf.concat([tf.ones([1, 3]), table]);
        const { accepts, apply } = positionResize(grid, 3, { antialias, withClass: true });
        expect(accepts([1, 17, 3])).toBe(true);
        const data = apply({ shape: [1, 17, 3], data: whole.dataSync() as Float32Array });
        const expected = tf.concat([tf.ones([1, 3]), resizePositions(table, [grid, grid], antialias)]);
        expectClose(data, expected, 1e-5);
      }
    }
  });
});

it('tables of no square grid, or of another width, are refused', () => {
  expect(gridOf(17)).toEqual({ grid: 4, withClass: true });
  expect(gridOf(16)).toEqual({ grid: 4, withClass: false });
  expect(gridOf(15)).toBeUndefined();
  const { accepts } = positionResize(4, 3, { antialias: false, withClass: true });
  expect(
    [
      [1, 16, 3],
      [1, 15, 3],
      [1, 17, 4],
      [2, 17, 3],
    ].map(accepts),
  ).toEqual([false, false, false, false]);
});

it('rows of bicubic matrices sum to one', () => {
  for (const antialias of [false, true]) {
    for (const [to, from] of [
      [7, 3],
      [3, 7],
      [5, 5],
      [1, 4],
      [4, 1],
    ] as const) {
      const matrix = cubicMatrix(to, from, antialias);
      for (let i = 0; i < to; i++) {
        const sum = matrix.subarray(i * from, (i + 1) * from).reduce((a, b) => a + b, 0);
        expect(sum).toBeCloseTo(1, 6);
      }
    }
  }
});
