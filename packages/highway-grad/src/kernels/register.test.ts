import * as tf from '@tensorflow/tfjs-core';
import { afterAll, expect, test, vi } from 'vitest';
import { useBackend } from '../../test/backends.ts';
import { random } from '../../test/numbers.ts';
import { registerTrainingKernels } from './register.ts';

const missingOnWasm = [
  'Conv2DBackpropFilter',
  'DepthwiseConv2dNativeBackpropFilter',
  'DepthwiseConv2dNativeBackpropInput',
  'UnsortedSegmentSum',
];
const kernelFuncs = (backend: string) =>
  new Map(tf.getKernelsForBackend(backend).map((k) => [k.kernelName, k.kernelFunc]));

afterAll(() => vi.restoreAllMocks());

test('importing the package registers nothing', async () => {
  await useBackend('wasm');
  const before = { kernels: kernelFuncs('wasm'), mirrorPad: tf.getGradient('MirrorPad').gradFunc };
  await import('../index.ts');
  expect(kernelFuncs('wasm')).toEqual(before.kernels);
  expect(tf.getGradient('MirrorPad').gradFunc).toBe(before.mirrorPad);
  for (const name of missingOnWasm) expect(tf.getKernel(name, 'wasm')).toBeUndefined();
});

test('on wasm it adds and replaces kernels, names them, and warns of nothing; again changes nothing', async () => {
  await useBackend('wasm');
  const warn = vi.spyOn(console, 'warn');
  const cpu = kernelFuncs('cpu');
  const before = kernelFuncs('wasm');
  const names = registerTrainingKernels();
  const after = kernelFuncs('wasm');
  const changed = [...after].filter(([name, fn]) => before.get(name) !== fn).map(([name]) => name);
  expect(names.filter((name) => name !== 'MirrorPad')).toEqual(changed.sort());
  expect(names).toEqual(expect.arrayContaining([...missingOnWasm, 'BatchMatMul', 'MaxPoolGrad', 'Identity']));
  expect(registerTrainingKernels()).toEqual(names);
  expect(kernelFuncs('wasm')).toEqual(after);
  expect(kernelFuncs('cpu')).toEqual(cpu);
  expect(warn).not.toHaveBeenCalled();
});

test('on cpu it puts the wrong gradients right', async () => {
  await useBackend('cpu');
  const wasm = kernelFuncs('wasm');
  expect(registerTrainingKernels()).toEqual([
    'AvgPoolGrad',
    'MirrorPad',
    'ResizeBilinearGrad',
    'ResizeNearestNeighborGrad',
  ]);
  expect(kernelFuncs('wasm')).toEqual(wasm);
});

test('the kernels survive setting another backend and coming back, with data moved between them', async () => {
  await useBackend('wasm');
  registerTrainingKernels();
  const [a, b] = [random([40, 30], 1), random([30, 20], 2)];
  const clone = tf.clone(a);
  const onWasm = tf.tidy(() => tf.matMul(a, b).dataSync());
  await useBackend('cpu');
  const onCpu = tf.tidy(() => tf.matMul(clone, b).dataSync());
  await useBackend('wasm');
  const again = tf.tidy(() => tf.matMul(a, b).dataSync());
  expect(again).toEqual(onWasm);
  expect(Math.max(...onCpu.map((v, i) => Math.abs(v - onWasm[i]!)))).toBeLessThan(1e-5);
  tf.dispose([a, b, clone]);
});

test('a clone shares its buffer and outlives its origin', async () => {
  await useBackend('wasm');
  const x = tf.tensor1d([1, 2, 3]);
  const { numDataBuffers } = tf.memory();
  const y = tf.clone(x);
  expect(tf.memory().numDataBuffers).toBe(numDataBuffers);
  x.dispose();
  expect([...y.dataSync()]).toEqual([1, 2, 3]);
  const v = tf.variable(y);
  v.assign(tf.tensor1d([4, 5, 6]));
  expect([...y.dataSync()]).toEqual([1, 2, 3]);
  tf.dispose([y, v]);
});

test('erf: error below 1e-6, limits exact, NaN stays NaN', async () => {
  await useBackend('wasm');
  const values = [0, 1e-4, 0.1, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4];
  // erf to 10 digits
  const erf = [
    0, 1.1283791633e-4, 0.112462916, 0.5204998778, 0.8427007929, 0.9661051465, 0.995322265, 0.999593048,
    0.9999779095, 0.9999992569, 0.9999999846,
  ];
  const got = tf.tidy(() => tf.erf(tf.tensor1d(values)).dataSync());
  const negative = tf.tidy(() => tf.erf(tf.tensor1d(values.map((v) => -v))).dataSync());
  for (const [i, v] of erf.entries()) {
    expect(Math.abs(got[i]! - v)).toBeLessThan(5e-7);
    expect(Math.abs(negative[i]! + v)).toBeLessThan(5e-7);
  }
  const limits = [6, -6, 1e20, -1e20, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
  const atLimits = tf.tidy(() => tf.erf(tf.tensor1d(limits)).dataSync());
  expect([...atLimits]).toEqual([1, -1, 1, -1, 1, -1, Number.NaN]);
});

test('segment ids outside the range are dropped', async () => {
  await useBackend('wasm');
  const sum = tf.tidy(() =>
    tf
      .unsortedSegmentSum(
        tf.tensor2d([
          [1, 2],
          [3, 4],
          [5, 6],
        ]),
        tf.tensor1d([-1, 1, 2], 'int32'),
        2,
      )
      .dataSync(),
  );
  expect([...sum]).toEqual([0, 0, 3, 4]);
});

test('gather names an index outside the range, and leaves nothing behind', async () => {
  await useBackend('wasm');
  const x = tf.ones([3, 2]);
  const index = tf.tensor1d([0, 3], 'int32');
  const { numTensors, numDataBuffers } = tf.memory();
  expect(() => tf.gather(x, index)).toThrow('index value 3 is not in [0, 2]');
  expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers });
  tf.dispose([x, index]);
});

test('sums of many rows stay exact to float32', async () => {
  await useBackend('wasm');
  const rows = 300_000;
  const x = tf.fill([rows, 8], 0.1);
  const total = tf.tidy(() => tf.sum(x, 0).dataSync()[0]!);
  expect(Math.abs(total / (rows * Math.fround(0.1)) - 1)).toBeLessThan(2e-6);
  x.dispose();
});

test('int32 and bool data go through the copying kernels', async () => {
  await useBackend('wasm');
  tf.tidy(() => {
    const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3], 'int32');
    const mask = tf.tensor2d([1, 0, 1, 0, 0, 1], [2, 3], 'bool');
    for (const t of [x, mask]) {
      const [p, q, r, s, u, v] = t.dataSync();
      expect([...tf.slice(t, [0, 1], [2, 2]).dataSync()]).toEqual([q, r, u, v]);
      expect([...tf.reverse(t, 1).dataSync()]).toEqual([r, q, p, v, u, s]);
      expect([...tf.tile(t, [1, 2]).dataSync()]).toEqual([p, q, r, p, q, r, s, u, v, s, u, v]);
      expect([...tf.gather(t, tf.tensor1d([1], 'int32')).dataSync()]).toEqual([s, u, v]);
      expect(tf.slice(t, [0, 1], [2, 2]).dtype).toBe(t.dtype);
    }
    expect([...tf.sum(x, 0).dataSync()]).toEqual([5, 7, 9]);
    expect([...tf.slice(tf.tensor1d(['a', 'b', 'c']), 1, 2).dataSync()]).toEqual(['b', 'c']);
  });
});

test('the heap does not grow over many steps, and packed operands go with their products', async () => {
  await useBackend('wasm');
  const heap = () => (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.length;
  const [x, w] = [random<tf.Rank.R4>([2, 12, 12, 16], 1), random<tf.Rank.R4>([3, 3, 16, 16], 2)];
  const step = () =>
    tf.tidy(() => {
      tf.grads((x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 'same'))([x, w]);
      const rows = tf.reshape(x, [-1, 16]);
      tf.grads((a, b) => tf.matMul(a!, b!, false, true))([rows, rows]);
      tf.grads((a, b) => tf.matMul(a!, b!))([tf.reshape(x, [2, 144, 16]), tf.reshape(x, [2, 16, 144])]);
      tf.grad((x) => tf.sum(tf.erf(x), 0))(rows);
    });
  for (let i = 0; i < 5; i++) step();
  const start = heap();
  for (let i = 0; i < 100; i++) step();
  expect(heap()).toBe(start);

  // 40 matrices of 1 MB as right operands: packed copies would take another 40 MB
  const left = random([600, 512], 3);
  const matrices = Array.from({ length: 40 }, (_, i) => tf.fill([512, 512], i));
  const before = heap();
  for (const m of matrices) tf.matMul(left, m).dispose();
  expect(heap() - before).toBeLessThan(16 * 2 ** 20);
  tf.dispose([x, w, left, matrices]);
});

test('channels first is named where wasm cannot do it', async () => {
  await useBackend('wasm');
  const x = tf.ones([1, 3, 8, 8]);
  const dy = tf.ones([1, 4, 8, 8]);
  const attrs = { strides: [1, 1], pad: 'same', dataFormat: 'NCHW', filterShape: [3, 3, 3, 4] };
  const run = () =>
    tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, attrs as unknown as tf.NamedAttrMap);
  expect(run).toThrow(/expected: NHWC\n {2}received: NCHW/);
  tf.dispose([x, dy]);
});

test('depthwise gradients with dilation: <dy, f(x, w)> changes as they say', async () => {
  await useBackend('wasm');
  tf.tidy(() => {
    const [x, w] = [random<tf.Rank.R4>([2, 9, 8, 3], 1), random<tf.Rank.R4>([3, 2, 3, 2], 2)];
    const conv = (x: tf.Tensor4D, w: tf.Tensor4D) => tf.depthwiseConv2d(x, w, 1, 'same', 'NHWC', [2, 3]);
    const dy = random<tf.Rank.R4>([...conv(x, w).shape], 3);
    const attrs = { strides: [1, 1], pad: 'same', dilations: [2, 3] };
    const run = (name: string, inputs: tf.NamedTensorMap, more: object) =>
      tf.engine().runKernel(name, inputs, { ...attrs, ...more } as tf.NamedAttrMap) as tf.Tensor;
    const dot = (a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.mul(a, b)).dataSync()[0]!;
    const dx = run('DepthwiseConv2dNativeBackpropInput', { dy, filter: w }, { inputShape: x.shape });
    const dw = run('DepthwiseConv2dNativeBackpropFilter', { x, dy }, { filterShape: w.shape });
    // the convolution is linear in each argument
    const value = dot(dy, conv(x, w));
    expect(dot(dx, x)).toBeCloseTo(value, 3);
    expect(dot(dw, w)).toBeCloseTo(value, 3);
    const other = random<tf.Rank.R4>([2, 9, 8, 3], 9);
    expect(dot(dx, other)).toBeCloseTo(dot(dy, conv(other, w)), 3);
  });
});
