import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useBackend } from '../../test/backends.ts';
import {
  compare,
  evaluated,
  type Input,
  numbers,
  numericGradients,
  type Op,
  size,
  valueAndGradients,
} from '../../test/numbers.ts';
import { registerTrainingKernels } from './register.ts';

interface Case {
  /** The inputs' shapes. */
  shapes: string;
  fn: Op;
  /** cpu has a wrong or no gradient here: finite differences alone decide. */
  cpuWrong?: boolean;
  /** Finite differences step over kinks: cpu alone decides. */
  kinks?: boolean;
  /** tfjs has no gradient here on any backend. */
  forwardOnly?: boolean;
  /** Added to the inputs. */
  offset?: number;
}

type T4 = tf.Tensor4D;
type T3 = tf.Tensor3D;

const conv =
  (
    strides: number | [number, number],
    pad: 'same' | 'valid' | number | tf.backend_util.ExplicitPadding,
  ): Op =>
  (x, w) =>
    tf.conv2d(x as T4, w as T4, strides, pad);
const depthwise =
  (strides: number | [number, number], pad: 'same' | 'valid' | number): Op =>
  (x, w) =>
    tf.depthwiseConv2d(x as T4, w as T4, strides, pad);
const product =
  (tA = false, tB = false): Op =>
  (a, b) =>
    tf.matMul(a, b, tA, tB);
const indices = (...values: number[]) => tf.tensor1d(values, 'int32');

const cases: Record<string, Case> = {
  'conv 3×3 same': { shapes: '2×7×9×3  3×3×3×5', fn: conv(1, 'same') },
  'conv 3×3 valid': { shapes: '2×7×9×3  3×3×3×5', fn: conv(1, 'valid') },
  'conv 3×3 padded by 2': { shapes: '2×6×5×3  3×3×3×4', fn: conv(1, 2) },
  'conv 2×3 padded unevenly': {
    shapes: '2×6×5×3  2×3×3×4',
    fn: conv(1, [
      [0, 0],
      [1, 0],
      [0, 2],
      [0, 0],
    ]),
  },
  'conv 1×1 padded beyond its size': { shapes: '1×4×5×3  1×1×3×4', fn: conv(1, 1) },
  'conv 1×1': { shapes: '2×7×9×3  1×1×3×5', fn: conv(1, 'same') },
  'conv 1×1 stride 2': { shapes: '2×7×8×3  1×1×3×5', fn: conv(2, 'same') },
  'conv 3×3 stride 2 same': { shapes: '2×9×8×3  3×3×3×4', fn: conv(2, 'same') },
  'conv 3×3 stride 2 valid, rest unread': { shapes: '2×10×8×3  3×3×3×4', fn: conv(2, 'valid') },
  'conv 3×3 stride 2 padded by 1': { shapes: '2×10×7×3  3×3×3×4', fn: conv(2, 1) },
  'conv 4×4 stride 4 (patches)': { shapes: '2×8×12×3  4×4×3×6', fn: conv(4, 'valid') },
  'conv 5×2 stride 3×2': { shapes: '2×11×9×2  5×2×2×3', fn: conv([3, 2], 'same') },
  'conv 2×2 stride 3 (gaps)': { shapes: '1×8×9×2  2×2×2×3', fn: conv(3, 'valid') },
  'conv transpose 2×2 stride 2': {
    shapes: '2×4×5×6  2×2×3×6',
    fn: (x, w) => tf.conv2dTranspose(x as T4, w as T4, [2, 8, 10, 3], 2, 'same'),
  },
  'conv transpose 3×3 stride 2': {
    shapes: '2×4×5×6  3×3×3×6',
    fn: (x, w) => tf.conv2dTranspose(x as T4, w as T4, [2, 8, 9, 3], 2, 'same'),
  },
  'fused conv, bias, elu': {
    shapes: '2×6×7×3  3×3×3×4  4',
    fn: (x, filter, bias) =>
      tf.fused.conv2d({ x: x as T4, filter: filter as T4, strides: 1, pad: 'same', bias, activation: 'elu' }),
  },
  'depthwise 3×3 same': { shapes: '2×7×9×4  3×3×4×1', fn: depthwise(1, 'same') },
  'depthwise 3×3 valid, multiplier 3': { shapes: '2×7×9×2  3×3×2×3', fn: depthwise(1, 'valid') },
  'depthwise 5×3 stride 2': { shapes: '2×9×8×4  5×3×4×1', fn: depthwise(2, 'same') },
  'depthwise stride 2 padded by 1, multiplier 2': { shapes: '2×9×8×2  3×3×2×2', fn: depthwise(2, 1) },
  'max pool 3 stride 2': { shapes: '2×9×8×3', fn: (x) => tf.maxPool(x as T4, 3, 2, 'same') },
  'max pool 2, all negative': {
    shapes: '2×6×8×3',
    fn: (x) => tf.maxPool(x as T4, 2, 2, 'valid'),
    offset: -2,
  },
  'max pool 1 stride 2': { shapes: '2×7×8×3', fn: (x) => tf.maxPool(x as T4, 1, 2, 'valid') },
  'max pool 3×2 same': { shapes: '1×7×8×3', fn: (x) => tf.maxPool(x as T4, [3, 2], [2, 1], 'same') },
  'max pool 3 padded by 1': { shapes: '1×7×8×3', fn: (x) => tf.maxPool(x as T4, 3, 2, 1) },
  'max pool with argmax, positions in the batch': {
    shapes: '2×6×8×3',
    fn: (x) => tf.cast(tf.maxPoolWithArgmax(x as T4, 2, 2, 'same', true).indexes!, 'float32'),
    forwardOnly: true,
    offset: -2,
  },
  'max pool with argmax, positions in the image': {
    shapes: '2×7×8×3',
    fn: (x) => {
      const { result, indexes } = tf.maxPoolWithArgmax(x as T4, 3, 2, 'same');
      return tf.stack([result!, tf.cast(indexes!, 'float32')]);
    },
    forwardOnly: true,
    offset: -2,
  },
  'average pool 3 same': {
    shapes: '2×7×9×3',
    fn: (x) => tf.avgPool(x as T4, 3, 1, 'same'),
    cpuWrong: true,
  },
  'average pool 2 stride 2 same': {
    shapes: '2×7×9×3',
    fn: (x) => tf.avgPool(x as T4, 2, 2, 'same'),
    cpuWrong: true,
  },
  'average pool 3×2 valid': { shapes: '2×7×9×3', fn: (x) => tf.avgPool(x as T4, [3, 2], [2, 1], 'valid') },
  'average pool 3 padded by 1': {
    shapes: '2×7×8×3',
    fn: (x) => tf.avgPool(x as T4, 3, 2, 1),
    cpuWrong: true,
  },
  gather: { shapes: '8×5', fn: (x) => tf.gather(x, indices(0, 3, 3, 7, 1, 0)) },
  'gather of long rows': {
    shapes: '5×3×16',
    fn: (x) =>
      tf.gather(
        x,
        tf.tensor2d(
          [
            [0, 4],
            [4, 2],
          ],
          [2, 2],
          'int32',
        ),
      ),
  },
  'gather along axis 1': { shapes: '4×8×5', fn: (x) => tf.gather(x, indices(7, 0, 2), 1) },
  'gather along the last axis': { shapes: '4×8', fn: (x) => tf.gather(x, indices(7, 0, 2), -1) },
  'segment sum': { shapes: '6×5', fn: (x) => tf.unsortedSegmentSum(x, indices(0, 3, 3, 7, 1, 0), 8) },
  'product, small': { shapes: '3×4  4×5', fn: product() },
  'product NN': { shapes: '17×33  33×21', fn: product() },
  'product NT': { shapes: '17×33  21×33', fn: product(false, true) },
  'product TN, wide': { shapes: '33×17  33×40', fn: product(true, false) },
  'product TN, narrow': { shapes: '33×40  33×17', fn: product(true, false) },
  'product TT': { shapes: '33×17  21×33', fn: product(true, true) },
  'product with one column, whose transpose is the same data': { shapes: '40×64  64×1', fn: product() },
  'product with one row': { shapes: '40×1  1×64', fn: product() },
  'batch NN': { shapes: '3×17×33  3×33×21', fn: product() },
  'batch NT': { shapes: '3×17×33  3×21×33', fn: product(false, true) },
  'batch TN': { shapes: '3×33×17  3×33×21', fn: product(true, false) },
  'batch TT': { shapes: '2×2×33×17  2×2×21×33', fn: product(true, true) },
  'batch of small products': { shapes: '5×3×4  5×4×6', fn: product() },
  'batch of single rows': { shapes: '5×1×64  5×64×48', fn: product() },
  'batch against one matrix': {
    shapes: '3×17×33  1×33×21',
    fn: product(),
    forwardOnly: true,
  },
  'one matrix against a batch': {
    shapes: '1×17×33  3×33×21',
    fn: product(),
    forwardOnly: true,
  },
  'batch TN against one matrix': {
    shapes: '3×33×17  1×33×21',
    fn: product(true, false),
    forwardOnly: true,
  },
  'broadcast batches of batches': {
    shapes: '2×1×9×33  1×3×33×21',
    fn: product(),
    forwardOnly: true,
  },
  'fused product, bias, relu': {
    shapes: '17×33  33×21  21',
    fn: (a, b, bias) => tf.fused.matMul({ a, b, bias, activation: 'relu' }),
    kinks: true,
  },
  'fused product NT, elu': {
    shapes: '17×33  21×33  21',
    fn: (a, b, bias) => tf.fused.matMul({ a, b, bias, transposeB: true, activation: 'elu' }),
  },
  'fused batch TN, bias, sigmoid': {
    shapes: '3×33×17  3×33×21  21',
    fn: (a, b, bias) => tf.fused.matMul({ a, b, bias, transposeA: true, activation: 'sigmoid' }),
  },
  erf: { shapes: '500', fn: (x) => tf.erf(tf.mul(x, 3)) },
  'sum of leading axes': { shapes: '40×7×12', fn: (x) => tf.sum(x, [0, 1]) },
  'sum of a middle axis, kept': { shapes: '3×41×8', fn: (x) => tf.sum(x, 1, true) },
  'sum of two axes apart': { shapes: '3×4×5×6', fn: (x) => tf.sum(x, [0, 2]) },
  'sum of the last axis': { shapes: '30×8', fn: (x) => tf.sum(x, -1) },
  'mean of leading axes': { shapes: '5×13×11×6', fn: (x) => tf.mean(x, [0, 1, 2]) },
  'mean of all': { shapes: '5×13×6', fn: (x) => tf.mean(x) },
  slice: { shapes: '6×7×8', fn: (x) => tf.slice(x, [1, 2, 3], [4, -1, 2]) },
  'slice of rank 6': {
    shapes: '2×3×2×3×4×5',
    fn: (x) => tf.slice(x, [0, 1, 0, 2, 1, 0], [2, 2, 1, 1, 2, 5]),
  },
  'slice of rows': { shapes: '6×40', fn: (x) => tf.slice(x, [2, 0], [3, 40]) },
  split: { shapes: '6×9', fn: (x) => tf.concat([...tf.split(x, [2, 3, 4], 1)].reverse(), 1) },
  'split along axis 0': { shapes: '6×9', fn: (x) => tf.add(...(tf.split(x, 2) as [tf.Tensor, tf.Tensor])) },
  unstack: { shapes: '3×4×5', fn: (x) => tf.stack([...tf.unstack(x, 1)].reverse(), 2) },
  tile: { shapes: '2×3×4', fn: (x) => tf.tile(x, [2, 1, 3]) },
  broadcast: { shapes: '3×1×20', fn: (x) => tf.broadcastTo(x, [2, 3, 4, 20]) },
  reverse: { shapes: '4×5×20', fn: (x) => tf.reverse(x, [0, 2]) },
  'reverse of rows': { shapes: '4×5×20', fn: (x) => tf.reverse(x, 1) },
  'transpose without effect': { shapes: '1×4×1×5', fn: (x) => tf.transpose(x, [1, 0, 3, 2]) },
  'transpose of rank 4': { shapes: '2×3×4×5', fn: (x) => tf.transpose(x, [3, 1, 0, 2]) },
  'transpose of windows': { shapes: '2×3×2×4×2×5', fn: (x) => tf.transpose(x, [0, 1, 3, 2, 4, 5]) },
  'transpose of rank 6': { shapes: '2×3×2×4×2×16', fn: (x) => tf.transpose(x, [2, 4, 0, 1, 3, 5]) },
  'transpose of rank 6, last axis moved': {
    shapes: '2×3×2×4×2×5',
    fn: (x) => tf.transpose(x, [5, 2, 4, 0, 3, 1]),
  },
  clone: { shapes: '4×5', fn: (x) => tf.mul(tf.clone(x), x) },
  'resize bilinear, half-pixel': {
    shapes: '2×5×7×3',
    fn: (x) => tf.image.resizeBilinear(x as T4, [9, 12], false, true),
    cpuWrong: true,
  },
  'resize bilinear down, half-pixel': {
    shapes: '2×9×7×3',
    fn: (x) => tf.image.resizeBilinear(x as T4, [4, 3], false, true),
    cpuWrong: true,
  },
  'resize bilinear, corners aligned': {
    shapes: '2×5×7×3',
    fn: (x) => tf.image.resizeBilinear(x as T4, [9, 12], true),
    cpuWrong: true,
  },
  'resize bilinear, old default': {
    shapes: '2×5×7×3',
    fn: (x) => tf.image.resizeBilinear(x as T4, [9, 12]),
    cpuWrong: true,
  },
  'resize nearest': {
    shapes: '2×5×7×3',
    fn: (x) => tf.image.resizeNearestNeighbor(x as T4, [9, 12]),
    cpuWrong: true,
  },
  'resize nearest, half-pixel': {
    shapes: '2×5×7×3',
    fn: (x) => tf.image.resizeNearestNeighbor(x as T4, [9, 12], false, true),
    cpuWrong: true,
  },
  'mirror pad, reflect': {
    shapes: '2×5×6×3',
    fn: (x) =>
      tf.mirrorPad(
        x as T4,
        [
          [0, 0],
          [1, 2],
          [3, 0],
          [0, 0],
        ],
        'reflect',
      ),
    cpuWrong: true,
  },
  'mirror pad, symmetric': {
    shapes: '4×3×5',
    fn: (x) =>
      tf.mirrorPad(
        x as T3,
        [
          [0, 0],
          [2, 1],
          [0, 3],
        ],
        'symmetric',
      ),
    cpuWrong: true,
  },
};

const inputsOf = ({ shapes, offset = 0 }: Case): Input[] =>
  shapes.split('  ').map((text, i) => {
    const shape = text.split('×').map(Number);
    return { shape, data: numbers(size(shape), i + 1).map((v) => v + offset) };
  });

function evaluate(c: Case): ReturnType<typeof valueAndGradients> {
  const inputs = inputsOf(c);
  if (!c.forwardOnly) return valueAndGradients(c.fn, inputs);
  return { value: evaluated(c.fn, inputs), gradients: [] };
}

describe('training kernels on wasm', () => {
  const onCpu: Record<string, ReturnType<typeof valueAndGradients>> = {};

  beforeAll(async () => {
    await useBackend('cpu');
    for (const [name, c] of Object.entries(cases)) {
      if (!c.cpuWrong) onCpu[name] = evaluate(c);
    }
    await useBackend('wasm');
    registerTrainingKernels();
  });

  test.each(Object.keys(cases))('%s', (name) => {
    checkCase(cases[name]!, onCpu[name]);
  });

  afterAll(() => tf.disposeVariables());
});

describe('training kernels on cpu', () => {
  beforeAll(async () => {
    await useBackend('cpu');
    registerTrainingKernels();
  });

  test.each(Object.keys(cases).filter((name) => cases[name]!.cpuWrong))('%s', (name) => {
    checkCase(cases[name]!);
  });
});

/** Compares values and gradients with cpu's, where given, and with finite differences; nothing may stay behind. */
function checkCase(c: Case, onCpu?: ReturnType<typeof valueAndGradients>): void {
  const before = { tensors: tf.memory().numTensors, buffers: dataIds() };
  const { value, gradients } = evaluate(c);
  if (onCpu) {
    expectClose(value, onCpu.value, 2e-6);
    for (const [i, g] of gradients.entries()) expectClose(g, onCpu.gradients[i]!, 5e-6);
  }
  const numeric = c.forwardOnly || c.kinks ? [] : numericGradients(c.fn, inputsOf(c));
  for (const [i, derivatives] of numeric.entries()) {
    const scale = Math.max(1, ...gradients[i]!.map(Math.abs));
    for (const [at, derivative] of derivatives) {
      expect(Math.abs(gradients[i]![at]! - derivative), `input ${i} at ${at}`).toBeLessThan(4e-3 * scale);
    }
  }
  expect({ tensors: tf.memory().numTensors, buffers: dataIds() }).toEqual(before);
}

function expectClose(a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number): void {
  const { difference, largest } = compare(a, b);
  expect(difference).toBeLessThanOrEqual(tolerance * Math.max(1, largest));
}

/** Data buffers that the backend holds, those inside kernels included. */
function dataIds(): number {
  return (tf.backend() as unknown as { numDataIds(): number }).numDataIds();
}
