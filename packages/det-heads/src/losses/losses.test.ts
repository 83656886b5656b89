import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  expectClose,
  leakOf,
  normal,
  onBackends,
  readTensors,
  toTensor,
} from '../../../../tests/support/tensors.ts';
import { giouLoss, smoothL1Loss } from './box-losses.ts';
import { sigmoidLoss, softmaxLoss } from './cross-entropy.ts';
import { focalLoss } from './focal.ts';

const oracle = readTensors(new URL('../../test/fixtures/losses.safetensors', import.meta.url));
const tensor = <R extends tf.Rank>(name: string) => toTensor<R>(oracle.get(name)!);

type Loss = (x: tf.Tensor2D, weights?: tf.Tensor1D) => tf.Scalar;

/** Loss and gradient of the sum, then of each row alone by its weight. */
function expectRows(loss: Loss, x: tf.Tensor2D, name: string, columns: number): void {
  const { data, shape } = oracle.get(`${name}.loss`)!;
  const rows = x.shape[0];
  const perRow = Array.from({ length: rows }, (_, i) =>
    [...data.slice((i * data.length) / rows, ((i + 1) * data.length) / rows)].reduce((a, b) => a + b, 0),
  );
  expect(shape.length === 1 ? 1 : shape[1]).toBe(columns);
  const { value, grad } = tf.valueAndGrad((x) => loss(x as tf.Tensor2D))(x);
  expectClose(value, [perRow.reduce((a, b) => a + b, 0)], 0, 1e-5);
  expectClose(grad, oracle.get(`${name}.grad`)!.data, 1e-7, 1e-5);
  const own = perRow.map(
    (_, i) => loss(x, tf.cast(tf.oneHot(i, rows), 'float32') as tf.Tensor1D).dataSync()[0]!,
  );
  expectClose(own, perRow, 1e-6, 1e-5);
  const weights = normal<tf.Rank.R1>([rows], 8);
  const scaled = tf.grad((x) => tf.mul(loss(x as tf.Tensor2D, weights), 3))(x);
  expectClose(scaled, tf.mul(tf.mul(grad, 3), tf.reshape(weights, [-1, 1])), 1e-6, 1e-5);
  expect(leakOf(() => tf.dispose(tf.valueAndGrad((x) => loss(x as tf.Tensor2D, weights))(x)))).toBe(0);
}

onBackends('losses', () => {
  it.each([
    ['focal_a0.25_g2.0', 0.25, 2],
    ['focal_a-1.0_g2.0', -1, 2],
    ['focal_a0.5_g1.5', 0.5, 1.5],
  ])('%s equals the reference', (name, alpha, gamma) => {
    const targets = oracle.get('focal.targets')!.data;
    const labels = tf.tensor1d(
      Int32Array.from(targets, (t) => 1 - t),
      'int32',
    ); // one class: 0, or background
    const logits = tf.reshape(tensor('focal.logits'), [-1, 1]) as tf.Tensor2D;
    const { data } = oracle.get(`${name}.loss`)!;
    oracle.set('flat.loss', { shape: [data.length, 1], data });
    oracle.set('flat.grad', oracle.get(`${name}.grad`)!);
    expectRows((x, weights) => focalLoss(x, labels, { alpha, gamma, weights }), logits, 'flat', 1);
  });

  it('focal takes each row’s own class of several, and labels outside as background', () => {
    const logits = normal<tf.Rank.R2>([5, 3], 1, 2);
    const labels = [2, 0, 3, -1, 1];
    const flat = labels.flatMap((label) => [0, 1, 2].map((c) => (c === label ? 0 : 1)));
    const both = [
      tf.valueAndGrad((x) => focalLoss(x as tf.Tensor2D, tf.tensor1d(labels, 'int32')))(logits),
      tf.valueAndGrad((x) => focalLoss(tf.reshape(x, [15, 1]) as tf.Tensor2D, tf.tensor1d(flat, 'int32')))(
        logits,
      ),
    ];
    expectClose(both[0]!.value, both[1]!.value, 0, 1e-6);
    expectClose(both[0]!.grad, both[1]!.grad, 1e-7);
  });

  it.each([
    ['smooth_l1_beta1/9', 1 / 9],
    ['smooth_l1_beta1', 1],
    ['l1', 0],
  ])('%s equals the reference', (name, beta) => {
    const targets = tensor<tf.Rank.R2>('box.target');
    const loss: Loss = (x, weights) => smoothL1Loss(x, targets, { beta, weights });
    expectRows(loss, tensor('box.pred'), name, 4);
  });

  it.each(['giou_mmdet_eps1e-6', 'giou_torchvision_eps1e-7'])('%s equals the reference', (name) => {
    const targets = tensor<tf.Rank.R2>('box.target');
    expectRows((x, weights) => giouLoss(x, targets, { weights }), tensor('box.pred'), name, 1);
  });

  it('cross-entropy equals the reference', () => {
    const labels = tensor<tf.Rank.R1>('ce.labels');
    expectRows((x, weights) => softmaxLoss(x, labels, weights), tensor('ce.logits'), 'ce', 1);
  });

  it('binary cross-entropy equals the reference', () => {
    const targets = tensor('focal.targets');
    expectRows((x, weights) => sigmoidLoss(x, targets, weights), tensor('focal.logits'), 'bce', 4);
  });

  it('are stable for huge logits', () => {
    const logits = tf.tensor2d([1e4, -1e4, -1e4, 1e4], [2, 2]);
    const first = tf.tensor1d([0, 0], 'int32');
    const targets = tf.tensor2d([1, 0, 1, 0], [2, 2]);
    for (const loss of [
      (x: tf.Tensor) => focalLoss(x as tf.Tensor2D, first, { alpha: -1 }),
      (x: tf.Tensor) => softmaxLoss(x as tf.Tensor2D, first),
      (x: tf.Tensor) => sigmoidLoss(x, targets),
    ]) {
      const { value, grad } = tf.valueAndGrad(loss)(logits);
      expect(value.dataSync()[0]).toBe(2e4);
      expect([...grad.dataSync()].map((v) => v + 0)).toEqual([0, 0, -1, 1]);
    }
  });

  it('of many rows stay exact', () => {
    const logits = tf.fill<tf.Rank.R2>([50_001, 3], -4.6);
    const loss = focalLoss(logits, tf.fill([50_001], 3, 'int32') as tf.Tensor1D);
    const each = (0.75 * Math.log1p(Math.exp(-4.6))) / (1 + Math.exp(4.6)) ** 2;
    expectClose(loss, [150_003 * each], 0, 1e-5);
  });

  it('of boxes without an area, apart or inverted, are finite', () => {
    const x = tf.tensor2d([5, 5, 5, 5, 9, 9, 8, 8, 0, 0, 1, 1], [3, 4]);
    const targets = tf.tensor2d([5, 5, 5, 5, 0, 0, 1, 1, 7, 7, 7, 9], [3, 4]);
    const { value, grad } = tf.valueAndGrad((x) => giouLoss(x as tf.Tensor2D, targets))(x);
    for (const v of [...value.dataSync(), ...grad.dataSync()]) expect(Number.isFinite(v)).toBe(true);
  });
});
