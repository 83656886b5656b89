import { separable } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';

/**
 * A map resized upwards by repeating pixels: output row i is input row ⌊i · h / h'⌋, and so for columns; with a right gradient
 * on every backend. Keeps the matrices that it resamples by, and nothing where it doubles both sides.
 *
 * Equal to PyTorch's `interpolate(mode='nearest')`.
 *
 * @param x Shape [batch, h, w, C].
 * @param size Target height and width.
 * @returns Shape [batch, ...size, C].
 */
export function resizeNearest(x: tf.Tensor4D, size: [number, number]): tf.Tensor4D {
  const [, h, w] = x.shape;
  if (size[0] === h && size[1] === w) return x;
  if (size[0] === 2 * h && size[1] === 2 * w) return doubled(x, size);
  return tf.tidy(() => separable(x, repeats(size[0], h), repeats(size[1], w)));
}

function doubled(x: tf.Tensor4D, size: [number, number]): tf.Tensor4D {
  const op = tf.customGrad((x) => ({
    value: tf.image.resizeNearestNeighbor(x as tf.Tensor4D, size),
    gradFunc: (dy: tf.Tensor) => tf.tidy(() => tf.mul(tf.avgPool(dy as tf.Tensor4D, 2, 2, 'valid'), 4)),
  }));
  return op(x) as tf.Tensor4D;
}

/** Shape [to, from]: a 1 a row. */
function repeats(to: number, from: number): tf.Tensor2D {
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < to; i++) matrix[i * from + Math.floor((i * from) / to)] = 1;
  return tf.tensor2d(matrix, [to, from]);
}
