import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  expectClose,
  expectSlope,
  leakOf,
  normal,
  onBackends,
  readTensors,
} from '../../../tests/support/tensors.ts';
import { type BoxCoding, decodeBoxes, decodeBoxTensors, encodeBoxes } from './box-coding.ts';

const oracle = readTensors(new URL('../test/fixtures/box_coding.safetensors', import.meta.url));
const of = (name: string) => oracle.get(name)!.data as Float32Array;
const boxes = of('proposals');
const codings = [1, 10, 20, 30].map((w) => {
  const coding: BoxCoding = { stds: [1 / w, 1 / w, w === 1 ? 1 : 2 / w, w === 1 ? 1 : 2 / w] };
  return [`w${w}`, coding] as const;
});

describe('box coding', () => {
  it.each(codings)('encodes as the reference does, and back: %s', (name, coding) => {
    const deltas = encodeBoxes(boxes, of('targets'), coding);
    expectClose(deltas, of(`${name}.encode`), 1e-6, 1e-5);
    expectClose(decodeBoxes(deltas, boxes, coding), of('targets'), 1e-4);
  });

  it.each(codings)('decodes as both references do, several classes at once: %s', (name, coding) => {
    const deltas = of(`${name}.deltas`);
    const growth: BoxCoding = { ...coding, clip: 'growth' };
    expectClose(decodeBoxes(deltas, boxes, growth), of(`${name}.decode`), 1e-3, 1e-6);
    expectClose(decodeBoxes(deltas, boxes, coding), of(`${name}.decode_mmdet`), 1e-3, 1e-6);
    const inside = decodeBoxes(deltas, boxes, coding, { height: 50, width: 60 });
    expectClose(inside, of(`${name}.decode_mmdet_clamped_50x60`), 1e-3);
  });

  it('equals the reference of the third stage of a cascade', () => {
    const coding: BoxCoding = { stds: [0.033, 0.033, 0.067, 0.067] };
    expectClose(encodeBoxes(boxes, of('targets'), coding), of('cascade3.encode'), 1e-6, 1e-5);
    const deltas = of('w1.deltas').filter((_, i) => i % 8 < 4);
    expectClose(decodeBoxes(deltas, boxes, coding), of('cascade3.decode'), 1e-3, 1e-6);
  });

  it('stays finite for boxes without an area, and takes none at all', () => {
    const flat = Float32Array.of(5, 5, 5, 9);
    expect(encodeBoxes(flat, flat).every(Number.isFinite)).toBe(true);
    expect(encodeBoxes(Float32Array.of(0, 0, 9, 9), flat).every(Number.isFinite)).toBe(true);
    expect(decodeBoxes(new Float32Array(0), new Float32Array(0))).toEqual(new Float32Array(0));
  });
});

onBackends('box coding of tensors', () => {
  const first = of('w10.deltas').filter((_, i) => i % 8 < 4);

  it.each(['both', 'growth'] as const)('decodes as the plain arrays do, clipping %s', (clip) => {
    const coding: BoxCoding = { stds: [0.1, 0.1, 0.2, 0.2], clip };
    const deltas = tf.tensor2d(first, [20, 4]);
    expectClose(decodeBoxTensors(deltas, boxes, coding), decodeBoxes(first, boxes, coding), 1e-3, 1e-5);
    expect(leakOf(() => tf.dispose(decodeBoxTensors(deltas, boxes, coding)))).toBe(0);
  });

  it('has the gradient of its differences, none where it clips', () => {
    const deltas = normal<tf.Rank.R2>([20, 4], 3);
    const upstream = normal<tf.Rank.R2>([20, 4], 4);
    const coding: BoxCoding = { stds: [0.1, 0.1, 0.2, 0.2] };
    const loss = (d: tf.Tensor) =>
      tf.mean(tf.mul(decodeBoxTensors(d as tf.Tensor2D, boxes, coding), upstream));
    expectSlope(loss, deltas, tf.grad(loss)(deltas));
    const clipped = tf.tensor2d([0, 0, 100, -100], [1, 4]);
    const sum = (d: tf.Tensor) => tf.sum(decodeBoxTensors(d as tf.Tensor2D, boxes.subarray(0, 4), coding));
    expect([...tf.grad(sum)(clipped).dataSync().slice(2)]).toEqual([0, 0]);
  });
});
