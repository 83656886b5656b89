import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { expectClose, leakOf, normal, onBackends } from '../../../tests/support/tensors.ts';
import { type CrossEntropyOptions, softmaxCrossEntropy } from './cross-entropy.ts';
import { LabelRangeError, SegmentationOptionsError } from './errors.ts';

const shape: [number, number, number, number] = [2, 3, 4, 5];
const someIgnored = (ignoreIndex = 255) =>
  Array.from({ length: 24 }, (_, i) => (i % 7 === 3 ? ignoreIndex : (i * 3) % 5));
const labelsOf = (values: number[]) => tf.tensor3d(values, [2, 3, 4], 'int32');
const all = (value: number) => new Array<number>(24).fill(value);

/** The loss and its gradient pixel by pixel, in float64. */
function slowLoss(z: ArrayLike<number>, labels: number[], options: CrossEntropyOptions) {
  const { classWeights = [1, 1, 1, 1, 1], ignoreIndex = 255, average = 'kept' } = options;
  const weights = labels.map((y) => (y === ignoreIndex ? 0 : classWeights[y]!));
  const total = average === 'all' ? 24 : weights.reduce((a, b) => a + b, 0);
  const logits = Array.from(z);
  let loss = 0;
  const grad: number[] = [];
  weights.forEach((w, i) => {
    const row = logits.slice(5 * i, 5 * i + 5);
    const sum = row.reduce((s, v) => s + Math.exp(v - Math.max(...row)), 0);
    const logSum = Math.max(...row) + Math.log(sum);
    if (w > 0) loss += (w / total) * (logSum - row[labels[i]!]!);
    row.forEach((v, c) => {
      grad.push((w / total) * (Math.exp(v - logSum) - (c === labels[i] ? 1 : 0)));
    });
  });
  return { loss, grad };
}

function lossAndGradient(z: tf.Tensor4D, labels: tf.Tensor3D, options?: CrossEntropyOptions) {
  return tf.valueAndGrad((z) => softmaxCrossEntropy(z as tf.Tensor4D, labels, options))(z);
}

onBackends('softmaxCrossEntropy', () => {
  const cases: [string, CrossEntropyOptions][] = [
    ['the mean over kept pixels', {}],
    ['the mean over all pixels', { average: 'all' }],
    ['class weights', { classWeights: [0.5, 2, 0, 1, 3] }],
    ['class weights over all pixels', { classWeights: [0.5, 2, 0, 1, 3], average: 'all' }],
    ['an ignored class, weighted', { classWeights: [0.5, 2, 0, 1, 3], ignoreIndex: 1 }],
    ['a negative ignored value', { ignoreIndex: -1 }],
  ];
  it.each(cases)('equals the slow loop: %s', (_, options) => {
    const labels = someIgnored(options.ignoreIndex);
    const z = normal<tf.Rank.R4>(shape, 3, 2);
    const { value, grad } = lossAndGradient(z, labelsOf(labels), options);
    const expected = slowLoss(z.dataSync(), labels, options);
    expectClose(value, [expected.loss], 0, 1e-5);
    expectClose(grad, expected.grad, 1e-7, 1e-5);
  });

  it('scales its gradient by the upstream one', () => {
    const [z, labels] = [normal<tf.Rank.R4>(shape, 3), labelsOf(someIgnored())];
    const scaled = tf.grad((z) => tf.mul(softmaxCrossEntropy(z as tf.Tensor4D, labels), 3))(z);
    expectClose(scaled, tf.mul(lossAndGradient(z, labels).grad, 3), 1e-7);
  });

  it('is stable for huge and infinite logits', () => {
    const row = [1e4, -1e4, 0, Number.NEGATIVE_INFINITY, -200];
    const z = tf.tensor4d(new Array(24).fill(row).flat(), shape);
    const right = lossAndGradient(z, labelsOf(all(0)));
    expectClose(right.value, [0], 0);
    expectClose(right.grad, new Array(120).fill(0), 0);
    const ignored = lossAndGradient(z, labelsOf(all(0).fill(3, 0, 23)), { ignoreIndex: 3 });
    expectClose(ignored.value, [0], 0);
    const wrong = lossAndGradient(z, labelsOf(all(1)));
    expectClose(wrong.value, [2e4], 0, 1e-6);
    expectClose(wrong.grad, new Array(24).fill([1 / 24, -1 / 24, 0, 0, 0]).flat(), 1e-8);
  });

  it.each(['kept', 'all'] as const)(
    'is 0 with a zero gradient where all is ignored, averaged over %s',
    (average) => {
      const { value, grad } = lossAndGradient(normal(shape, 3), labelsOf(all(255)), { average });
      expectClose(value, [0], 0);
      expectClose(grad, new Array(120).fill(0), 0);
    },
  );

  it('leaks nothing and holds the probabilities and labels alone', () => {
    const [z, labels] = [normal<tf.Rank.R4>(shape, 3), labelsOf(someIgnored())];
    const step = () => tf.dispose(lossAndGradient(z, labels, { classWeights: [1, 2, 3, 4, 5] }));
    expect(leakOf(step)).toBe(0);
    let held = 0;
    tf.grad((z) => {
      const before = tf.memory().numTensors;
      const loss = softmaxCrossEntropy(z as tf.Tensor4D, labels);
      held = tf.memory().numTensors - before;
      return loss;
    })(z);
    expect(held).toBe(3); // the loss, the probabilities, the labels
  });
});

describe('softmaxCrossEntropy on bad input', () => {
  const z = () => normal<tf.Rank.R4>(shape, 3);

  it.each([
    [5, {}],
    [-1, {}],
    [255, { ignoreIndex: 0 }],
  ])('names a label out of range: %i', (value, options) => {
    const labels = labelsOf(all(0).with(17, value));
    const loss = () => softmaxCrossEntropy(z(), labels, options);
    expect(loss).toThrow(LabelRangeError);
    expect(loss).toThrow(`label ${value} is not a class`);
    expect(loss).toThrow(`${value} at [1,1,1] of labels [2,3,4]`);
  });

  it('does not look at the labels when told so', () => {
    const labels = labelsOf(all(0).with(17, 5));
    expect(() => softmaxCrossEntropy(z(), labels, { checkLabels: false })).not.toThrow();
  });

  it('names labels of another shape or type', () => {
    const wrongSize = tf.zeros<tf.Rank.R3>([2, 3, 5], 'int32');
    expect(() => softmaxCrossEntropy(z(), wrongSize)).toThrow(ShapeError);
    expect(() => softmaxCrossEntropy(z(), wrongSize)).toThrow('int32 [2,3,5]');
    expect(() => softmaxCrossEntropy(z(), tf.zeros<tf.Rank.R3>([2, 3, 4]))).toThrow('float32 [2,3,4]');
  });

  it('names class weights that do not fit', () => {
    const labels = labelsOf(all(0));
    for (const classWeights of [
      [1, 1],
      [1, 1, 1, 1, -1],
      [1, 1, 1, 1, Number.NaN],
    ]) {
      expect(() => softmaxCrossEntropy(z(), labels, { classWeights })).toThrow(SegmentationOptionsError);
    }
  });
});
