import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { registerTrainingKernels } from '@e3va/highway-grad';
import { beforeAll, describe, expect } from 'vitest';

/** Runs the tests on the cpu and the wasm backend, with the kernels that training needs. */
export function onBackends(name: string, tests: (backend: string) => void): void {
  describe.each(['cpu', 'wasm'])(`${name} on %s`, (backend) => {
    beforeAll(async () => {
      await tf.setBackend(backend);
      registerTrainingKernels();
    });
    tests(backend);
  });
}

export function readJson<T>(file: URL): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

/** A tensor of a fixture. */
export interface FixtureTensor {
  shape: number[];
  data: Float32Array | Int32Array;
}

/** The float32, int32 and byte tensors of a safetensors fixture, bytes as int32. */
export function readTensors(file: URL): Map<string, FixtureTensor> {
  const bytes = new Uint8Array(readFileSync(file));
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  delete header.__metadata__;
  return new Map(
    Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(header).map(
      ([key, { dtype, shape, data_offsets: offsets }]) => {
        const data = bytes.slice(start + offsets[0], start + offsets[1]).buffer;
        if (dtype === 'U8') return [key, { shape, data: Int32Array.from(new Uint8Array(data)) }];
        return [key, { shape, data: dtype === 'I32' ? new Int32Array(data) : new Float32Array(data) }];
      },
    ),
  );
}

export function toTensor<R extends tf.Rank>({ shape, data }: FixtureTensor): tf.Tensor<R> {
  const dtype = data instanceof Int32Array ? 'int32' : 'float32';
  return tf.tensor<R>(data as Float32Array, shape as tf.ShapeMap[R], dtype);
}

/** A map from PyTorch's layout. */
export function toNhwc(tensor: FixtureTensor): tf.Tensor4D {
  return tf.tidy(() => tf.transpose(toTensor<tf.Rank.R4>(tensor), [0, 2, 3, 1]));
}

export function normal<R extends tf.Rank>(shape: tf.ShapeMap[R], seed: number, std = 1): tf.Tensor<R> {
  return tf.randomNormal<R>(shape, 0, std, 'float32', seed);
}

/** Each element within `absolute + relative · |expected|`. */
export function expectClose(
  actual: tf.Tensor | ArrayLike<number>,
  expected: tf.Tensor | ArrayLike<number>,
  absolute: number,
  relative = 0,
): void {
  const values = (x: tf.Tensor | ArrayLike<number>) => (x instanceof tf.Tensor ? x.dataSync() : x);
  const [a, e] = [values(actual), values(expected)];
  expect(a.length).toBe(e.length);
  let worst = 0;
  for (let i = 0; i < e.length; i++) {
    const error = Math.abs(a[i]! - e[i]!);
    if (error !== 0) worst = Math.max(worst, error / (absolute + relative * Math.abs(e[i]!))); // NaN stays
  }
  expect(worst, 'largest error over its tolerance').toBeLessThanOrEqual(1);
}

/** The change of the tensor count over a call of `fn`, after one call that may build and cache. */
export function leakOf(fn: () => void): number {
  fn();
  const before = tf.memory().numTensors;
  fn();
  return tf.memory().numTensors - before;
}

/** `grad` against the central difference of `f` at `x` along a random direction; `f` must be smooth near `x`. */
export function expectSlope(
  f: (x: tf.Tensor) => tf.Tensor,
  x: tf.Tensor,
  grad: tf.Tensor,
  step = 1e-2,
): void {
  const direction = normal(x.shape as [number], 50);
  const at = (h: number) => f(tf.add(x, tf.mul(direction, h))).dataSync()[0]!;
  const expected = (at(step) - at(-step)) / (2 * step);
  const actual = tf.sum(tf.mul(grad, direction)).dataSync()[0]!;
  expect(Math.abs(actual - expected), `slope ${actual}, by differences ${expected}`).toBeLessThan(
    5e-3 * Math.max(1, Math.abs(expected)),
  );
}
