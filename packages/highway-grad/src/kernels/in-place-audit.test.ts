import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { useBackend } from '../../test/backends.ts';
import { numbers } from '../../test/numbers.ts';
import { registerTrainingKernels } from './register.ts';

/**
 * With `Identity` by reference, a kernel that wrote into its input would change every clone of it. This runs every
 * kernel that tfjs-backend-wasm registers and compares all tensors before and after.
 */
describe('kernels of the wasm backend that write into their inputs', () => {
  beforeAll(async () => {
    await useBackend('wasm');
    registerTrainingKernels();
  });

  test('there are none', async () => {
    const pool = makePool();
    const before = Object.entries(pool).map(([name, t]) => [name, t.dataSync().slice()] as const);
    const seen = new Set<string>();
    for (const call of callsOf(pool)) {
      const { kernelNames } = await tf.profile(() => {
        tf.tidy(() => {
          call();
        });
        return [];
      });
      for (const name of kernelNames) seen.add(name);
      for (const [name, values] of before) {
        expect(pool[name as keyof typeof pool].dataSync(), `${name} after ${kernelNames}`).toEqual(values);
      }
    }
    const all = tf.getKernelsForBackend('wasm').map(({ kernelName }) => kernelName);
    expect(all.filter((name) => !seen.has(name) && !withoutNumbers.has(name)).sort()).toEqual([]);
    tf.dispose(pool);
  });
});

/** Kernels of strings, kernels without tensor inputs, and those that are run through another kernel here. */
const withoutNumbers = new Set([
  'Fill',
  'LinSpace',
  'Range',
  'SparseFillEmptyRows',
  'StringNGrams',
  'StringSplit',
  'StringToHashBucketFast',
]);

function makePool() {
  const float = (...shape: number[]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return tf.tensor(
      numbers(size, 5).map((v) => 0.55 + 0.4 * v),
      shape,
    );
  };
  return {
    v: float(12),
    m: float(4, 6),
    n: float(6, 5),
    image: float(1, 4, 4, 4) as tf.Tensor4D,
    half: float(1, 2, 2, 4) as tf.Tensor4D,
    filter: float(2, 2, 4, 3) as tf.Tensor4D,
    depth: float(2, 2, 4, 1) as tf.Tensor4D,
    dilation: float(2, 2, 4) as tf.Tensor3D,
    volume: float(1, 4, 4, 4, 2) as tf.Tensor5D,
    halfVolume: float(1, 2, 2, 2, 2) as tf.Tensor5D,
    filter3d: float(2, 2, 2, 2, 3) as tf.Tensor5D,
    channel: float(4) as tf.Tensor1D,
    boxes: tf.tensor2d([
      [0, 0, 0.5, 0.5],
      [0, 0, 0.5, 0.45],
      [0.4, 0.4, 1, 1],
    ]),
    scores: tf.tensor1d([0.9, 0.8, 0.7]),
    ids: tf.tensor1d([0, 2, 1, 2], 'int32'),
    shape: tf.tensor1d([2, 3], 'int32'),
    two: tf.tensor1d([0.25, 0.5]),
    zero: tf.tensor1d([0], 'int32'),
    pairs: tf.tensor2d(
      [
        [0, 1],
        [2, 3],
      ],
      [2, 2],
      'int32',
    ),
    yes: tf.tensor1d([1, 0, 1, 0], 'bool'),
    no: tf.tensor1d([0, 0, 1, 1], 'bool'),
    scalar: tf.scalar(0.5),
  };
}

function callsOf(p: ReturnType<typeof makePool>): (() => unknown)[] {
  const run = (name: string, inputs: Record<string, tf.Tensor>, attrs: object = {}) =>
    tf.engine().runKernel(name, inputs, attrs as tf.NamedAttrMap);
  const unary =
    'Abs Acos Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Expm1 Floor Identity IsFinite IsInf IsNan Log Log1p Neg OnesLike Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Sqrt Square Tan Tanh ZerosLike';
  const binary =
    'Add Atan2 Equal FloorDiv Greater GreaterEqual Less LessEqual Maximum Minimum Mod Multiply NotEqual Pow RealDiv SquaredDifference Sub EluGrad';
  const pool = { filterSize: 2, strides: 2, pad: 'valid' };
  const pool3d = { ...pool, filterSize: [2, 2, 2], strides: [2, 2, 2] };
  const lrn = { depthRadius: 1, bias: 1, alpha: 1, beta: 0.5 };
  const dilated = { strides: [1, 1], pad: 'same', dilations: [1, 1] };
  const bn = { mean: p.channel, variance: p.channel, offset: p.channel, scale: p.channel };
  return [
    ...unary.split(' ').map((name) => () => run(name, { x: p.v })),
    ...binary.split(' ').map((name) => () => run(name, { a: p.v, b: p.v, dy: p.v, y: p.v })),
    () => tf.acosh(tf.add(p.v, 2)),
    () => tf.addN([p.v, p.v]),
    () => [tf.all(p.yes), tf.any(p.yes), tf.logicalAnd(p.yes, p.no), tf.logicalOr(p.yes, p.no)],
    () => [tf.logicalNot(p.yes), run('LogicalXor', { a: p.yes, b: p.no }), tf.where(p.yes, p.channel, p.ids)],
    () => [tf.argMax(p.m, 1), tf.argMin(p.m), tf.max(p.m, 0), tf.min(p.m), tf.prod(p.m), tf.sum(p.m, 0)],
    () => [tf.mean(p.m, 0), tf.sum(p.m), tf.mean(p.m, 1), tf.cumsum(p.m, 0), tf.cumprod(p.m, 0)],
    () => [tf.avgPool(p.image, 2, 2, 'same'), tf.maxPool(p.image, 2, 2, 'same')],
    () => [tf.avgPool3d(p.volume, 2, 2, 'same'), tf.maxPool3d(p.volume, 2, 2, 'same')],
    () => tf.maxPoolWithArgmax(p.image, 2, 2, 'same'),
    () => run('AvgPoolGrad', { dy: p.half, input: p.image }, pool),
    () => run('MaxPoolGrad', { dy: p.half, input: p.image, output: p.half }, pool),
    () => run('AvgPool3DGrad', { dy: p.halfVolume, input: p.volume }, pool3d),
    () => run('MaxPool3DGrad', { dy: p.halfVolume, input: p.volume, output: p.halfVolume }, pool3d),
    () => [
      tf.matMul(p.m, p.n),
      tf.matMul(p.m, p.m, true),
      tf.fused.matMul({ a: p.m, b: p.n, activation: 'relu' }),
    ],
    () => [
      tf.batchToSpaceND(
        tf.tile(p.image, [4, 1, 1, 1]),
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
    ],
    () => [
      tf.spaceToBatchND(
        p.image,
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
      tf.depthToSpace(p.image, 2),
    ],
    () => [tf.bincount(p.ids, p.channel, 3), tf.denseBincount(p.ids, p.channel, 3)],
    () => tf.bitwiseAnd(p.ids, p.ids),
    () => [tf.broadcastArgs(p.shape, p.shape), tf.cast(p.v, 'int32'), tf.clipByValue(p.v, 0.2, 0.5)],
    () => [tf.concat([p.v, p.v]), tf.concat([p.v, tf.zeros([0])]), tf.stack([p.v, p.v]), tf.stack([p.v])],
    () => [tf.conv2d(p.image, p.filter, 1, 'same'), tf.depthwiseConv2d(p.image, p.depth, 1, 'same')],
    () => tf.grads((x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'))([p.image, p.filter]),
    () =>
      tf.grads((x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'))([
        p.image,
        p.depth,
      ]),
    () =>
      tf.grads((x, w) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, 1, 'same'))([p.volume, p.filter3d]),
    () => [tf.fused.conv2d({ x: p.image, filter: p.filter, strides: 1, pad: 'same', activation: 'relu' })],
    () => [tf.fused.depthwiseConv2d({ x: p.image, filter: p.depth, strides: 1, pad: 'same' })],
    () => tf.grads((x) => tf.dilation2d(x as tf.Tensor4D, p.dilation, 1, 'same'))([p.image]),
    () => run('Dilation2DBackpropFilter', { x: p.image, filter: p.dilation, dy: p.image }, dilated),
    () => run('Dilation2DBackpropInput', { x: p.image, filter: p.dilation, dy: p.image }, dilated),
    () => [tf.image.cropAndResize(p.image, p.boxes, tf.zeros([3], 'int32'), [2, 2]), tf.diag(p.v)],
    () => [tf.image.flipLeftRight(p.image), tf.image.rotateWithOffset(p.image, 0.3)],
    () => [tf.image.resizeBilinear(p.image, [3, 5]), tf.image.resizeNearestNeighbor(p.image, [3, 5])],
    () => tf.grad((x) => tf.image.resizeBilinear(x as tf.Tensor4D, [3, 5]))(p.image),
    () => tf.grad((x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [3, 5]))(p.image),
    () => tf.image.transform(p.image, tf.tensor2d([[1, 0.1, 0, 0.1, 1, 0, 0, 0]])),
    () => tf.batchNorm(p.image, bn.mean, bn.variance, bn.offset, bn.scale),
    () => [tf.gatherND(p.m, p.pairs), tf.gather(p.m, p.ids), tf.grad((x) => tf.gather(x, p.ids))(p.m)],
    () => [tf.localResponseNormalization(p.image, 1), tf.leakyRelu(p.v), tf.prelu(p.v, p.scalar)],
    () => run('LRNGrad', { x: p.image, y: p.image, dy: p.image }, lrn),
    () => [
      tf.mirrorPad(
        p.m,
        [
          [1, 1],
          [1, 1],
        ],
        'reflect',
      ),
      tf.pad(p.m, [
        [1, 1],
        [1, 1],
      ]),
    ],
    () => [tf.multinomial(p.channel, 3), tf.oneHot(p.ids, 3), tf.softmax(p.m), tf.step(p.v)],
    () => run('NonMaxSuppressionV3', { boxes: p.boxes, scores: p.scores }, nms),
    () =>
      run('NonMaxSuppressionV4', { boxes: p.boxes, scores: p.scores }, { ...nms, padToMaxOutputSize: true }),
    () => run('NonMaxSuppressionV5', { boxes: p.boxes, scores: p.scores }, { ...nms, softNmsSigma: 0.5 }),
    () => [
      tf.reshape(p.m, [24]),
      tf.expandDims(p.m, 0),
      tf.reverse(p.m, 0),
      tf.reverse(p.scalar as tf.Tensor, []),
    ],
    () => tf.scatterND(p.pairs, p.two, [4, 6]),
    () => tf.tensorScatterUpdate(p.m, p.pairs, p.two),
    () => [
      tf.searchSorted(tf.reshape(p.v, [1, 12]), tf.reshape(p.v, [1, 12])),
      tf.topk(p.m, 2),
      tf.unique(p.ids),
    ],
    () => [tf.slice(p.m, [1, 1], [2, 2]), tf.split(p.m, 2), tf.unstack(p.m), tf.tile(p.m, [2, 2])],
    () => tf.stridedSlice(p.m, [0, 0], [4, 6], [2, 2]),
    () => tf.sparse.sparseReshape(p.pairs, tf.tensor1d([4, 6], 'int32'), tf.tensor1d([2, 12], 'int32')),
    () => tf.sparse.sparseSegmentMean(p.m, p.zero, p.zero),
    () => tf.sparse.sparseSegmentSum(p.m, p.zero, p.zero),
    () => tf.sparseToDense(p.pairs, p.two, [4, 6], p.scalar),
    () => [
      tf.transpose(p.m),
      tf.transpose(p.v),
      tf.transpose(tf.reshape(p.image, [2, 2, 2, 2, 4]), [4, 2, 0, 3, 1]),
    ],
    () => tf.unsortedSegmentSum(p.m, p.ids, 3),
  ];
}

const nms = { maxOutputSize: 3, iouThreshold: 0.5, scoreThreshold: 0 };
