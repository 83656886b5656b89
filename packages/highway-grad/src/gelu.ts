import * as tf from '@tensorflow/tfjs-core';
import { runPrivate } from './kernels/private.ts';

const inverseSqrt2 = Math.SQRT1_2;
const inverseSqrt2Pi = 1 / Math.sqrt(2 * Math.PI);

/** The standard normal distribution function, Φ(x) = (1 + erf(x / √2)) / 2, elementwise. Not for the tape. */
export function normalCdf(x: tf.Tensor): tf.Tensor {
  return (
    runPrivate('E3vaNormalCdf', { x }) ??
    tf.tidy(() => tf.mul(tf.add(tf.erf(tf.mul(x, inverseSqrt2)), 1), 0.5))
  );
}

/** d/dx of x·Φ(x), given Φ(x): Φ(x) + x·φ(x). Not for the tape. */
export function geluDerivative(x: tf.Tensor, cdf: tf.Tensor): tf.Tensor {
  return (
    runPrivate('E3vaGeluDerivative', { x, cdf }) ??
    tf.tidy(() => tf.add(cdf, tf.mul(tf.mul(x, inverseSqrt2Pi), tf.exp(tf.mul(tf.square(x), -0.5)))))
  );
}

/**
 * The exact (erf) GELU, x·Φ(x), with a hand-written gradient that keeps `x` alone (plain operations keep five
 * tensors of its size).
 *
 * Source: Hendrycks and Gimpel, arXiv 1606.08415; equal to `torch.nn.functional.gelu(x, approximate='none')`.
 *
 * @param x Any shape.
 * @returns The same shape.
 */
export function gelu<T extends tf.Tensor>(x: T): T {
  const op = tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    (save as tf.GradSaveFunc)([x]);
    return {
      value: tf.tidy(() => tf.mul(x, normalCdf(x))),
      gradFunc: (dy: tf.Tensor, [x]: tf.Tensor[]) =>
        tf.tidy(() => tf.mul(dy, geluDerivative(x!, normalCdf(x!)))),
    };
  });
  return op(x) as T;
}
