import * as tf from '@tensorflow/tfjs-core';

/** Reproducible numbers in [-1, 1), all different from a test's point of view. */
export function numbers(size: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  });
}

/** A tensor of such numbers. */
export function random<R extends tf.Rank = tf.Rank>(shape: number[], seed = 1): tf.Tensor<R> {
  return tf.tensor(numbers(size(shape), seed), shape) as unknown as tf.Tensor<R>;
}

export const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The largest difference, and the largest absolute value of `b`. */
export function compare(a: ArrayLike<number>, b: ArrayLike<number>): { difference: number; largest: number } {
  if (a.length !== b.length) return { difference: Number.POSITIVE_INFINITY, largest: 0 };
  let [difference, largest] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const d = Math.abs(a[i]! - b[i]!);
    difference = Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(difference, d);
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return { difference, largest };
}

/** Taken with as many inputs as it needs. */
export type Op = (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => tf.Tensor;
type Three = [tf.Tensor, tf.Tensor, tf.Tensor];

/** The value alone. */
export function evaluated(fn: Op, inputs: Input[]): Float32Array {
  return tf.tidy(() => {
    const xs = inputs.map(({ data, shape }) => tf.tensor(data, shape));
    return fn(...(xs as Three)).dataSync<'float32'>();
  });
}

/** Value and gradients of Σ f(x)·w, w fixed numbers, as plain arrays; leaves no tensor. */
export function valueAndGradients(
  fn: Op,
  inputs: Input[],
): { value: Float32Array; gradients: Float32Array[] } {
  return tf.tidy(() => {
    const value = evaluated(fn, inputs);
    const xs = inputs.map(({ data, shape }) => tf.tensor(data, shape));
    const loss = (...xs: tf.Tensor[]) => {
      const y = fn(...(xs as Three));
      return tf.sum(tf.mul(y, random(y.shape, 77))) as tf.Scalar;
    };
    const gradients = tf
      .grads(loss)(xs)
      .map((g) => g.dataSync() as Float32Array);
    return { value, gradients };
  });
}

export interface Input {
  data: Float32Array;
  shape: number[];
}

/** Derivatives of Σ f(x)·w by central differences, at some positions of each input: pairs [position, derivative]. */
export function numericGradients(fn: Op, inputs: Input[], step = 1e-2, positions = 8): [number, number][][] {
  const weights = new Map<number, Float32Array>();
  const loss = () =>
    tf.tidy(() => {
      const xs = inputs.map(({ data, shape }) => tf.tensor(data.slice(), shape));
      const y = fn(...(xs as Three)).dataSync<'float32'>();
      if (!weights.has(y.length)) weights.set(y.length, numbers(y.length, 77));
      const w = weights.get(y.length)!;
      return y.reduce((sum, v, i) => sum + v * w[i]!, 0);
    });
  return inputs.map(({ data }) =>
    Array.from({ length: Math.min(positions, data.length) }, (_, k): [number, number] => {
      // spread over the array, with both ends
      const at = Math.round((k * (data.length - 1)) / Math.max(1, Math.min(positions, data.length) - 1));
      const x = data[at]!;
      data[at] = x + step;
      const above = loss();
      data[at] = x - step;
      const below = loss();
      data[at] = x;
      return [at, (above - below) / (Math.fround(x + step) - Math.fround(x - step))];
    }),
  );
}
