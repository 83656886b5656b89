import { resizeBilinear, separable } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { sumOf } from './sum.ts';

/**
 * A convolution with ⌊size / 2⌋ zeros around the map, as in PyTorch; with a stride of 1 it keeps height and width.
 *
 * @param x Shape [batch, height, width, in].
 * @param kernel Shape [size, size, in, out], odd size.
 * @returns Shape [batch, ⌈height / stride⌉, ⌈width / stride⌉, out].
 */
export function convSame(x: tf.Tensor4D, kernel: tf.Tensor4D, stride = 1): tf.Tensor4D {
  const border = (kernel.shape[0] - 1) / 2;
  if (stride === 1 || border === 0) return tf.conv2d(x, kernel, stride, 'same');
  // TensorFlow's 'same' would start at another pixel where a side is even
  const around: [number, number] = [border, border];
  return tf.conv2d(tf.pad(x, [[0, 0], around, around, [0, 0]]), kernel, stride, 'valid');
}

/**
 * `convSame(resizeBilinear(x, target), kernel)`, computed at the size of `x`.
 *
 * Resizing and convolving are both linear: each tap of the kernel is applied to the pixels of `x`, and what the taps
 * give is interpolated, shifted and summed in one separable resampling. For a map of half the target's side that is a
 * quarter of the multiplications, and the resized map is neither made nor kept for the backward pass.
 *
 * @param x Shape [batch, h, w, in].
 * @param kernel Shape [size, size, in, out], odd size.
 * @param target Height and width of the output, at least those of `x`.
 * @returns Shape [batch, ...target, out].
 */
export function convResized(x: tf.Tensor4D, kernel: tf.Tensor4D, target: [number, number]): tf.Tensor4D {
  return tf.tidy(() => {
    const [size, , from, to] = kernel.shape;
    const taps = tf.reshape(tf.transpose(kernel, [2, 0, 1, 3]), [1, 1, from, size * size * to]);
    return sumTaps(convSame(x, taps as tf.Tensor4D), size, target);
  });
}

/**
 * Sums the taps of a convolution, each interpolated (half-pixel centres) to the target size and shifted. Linear, with a
 * hand-written gradient that keeps nothing.
 *
 * @param y What the taps give at each pixel, [batch, h, w, size · size · out].
 * @returns Shape [batch, ...target, out].
 */
function sumTaps(y: tf.Tensor4D, size: number, [height, width]: [number, number]): tf.Tensor4D {
  const [batch, h, w, all] = y.shape;
  const to = all / (size * size);
  // the taps of a row beside its pixels, those of a column beside its rows; and back
  const swap = (t: tf.Tensor, from: [number, number]) =>
    tf.transpose(tf.reshape(t, [batch * h, ...from, size * to]), [0, 2, 1, 3]);
  const matrices = () => [tapMatrix(height, h, size), tapMatrix(width, w, size)] as const;
  const op = tf.customGrad((y) => ({
    value: tf.tidy(() => {
      const image = tf.reshape(swap(y as tf.Tensor, [w, size]), [batch, h * size, w * size, to]);
      return separable(image as tf.Tensor4D, ...matrices());
    }),
    gradFunc: (dy: tf.Tensor) =>
      tf.tidy(() => {
        const [rows, columns] = matrices().map((m) => tf.transpose(m)) as [tf.Tensor2D, tf.Tensor2D];
        const image = separable(dy as tf.Tensor4D, rows, columns);
        return tf.reshape(swap(image, [size, w]), [batch, h, w, all]);
      }),
  }));
  return op(y) as tf.Tensor4D;
}

/**
 * Shape [to, from · size]: row i interpolates at output pixel i + tap − ⌊size / 2⌋ from column `pixel · size + tap`;
 * a pixel beyond the edge is 0.
 */
function tapMatrix(to: number, from: number, size: number): tf.Tensor2D {
  const matrix = new Float32Array(to * from * size);
  for (let i = 0; i < to; i++) {
    for (let tap = 0; tap < size; tap++) {
      const at = i + tap - (size - 1) / 2;
      if (at < 0 || at >= to) continue;
      const position = Math.min(from - 1, Math.max(0, ((at + 0.5) * from) / to - 0.5));
      const low = Math.floor(position);
      const place = i * from * size + tap;
      matrix[place + low * size]! += 1 - (position - low);
      if (position > low) matrix[place + (low + 1) * size]! += position - low;
    }
  }
  return tf.tensor2d(matrix, [to, from * size]);
}

/**
 * {@link convSame} of the maps joined along their channels, each resized to the first one's height and width; as a sum
 * over the maps, so that neither the joined map nor a resized smaller one is made.
 *
 * @param maps Shapes [batch, hᵢ, wᵢ, inᵢ].
 * @param kernel Shape [size, size, Σ inᵢ, out], odd size.
 * @returns Shape [batch, h₀, w₀, out].
 */
export function convJoined(maps: tf.Tensor4D[], kernel: tf.Tensor4D): tf.Tensor4D {
  const [, height, width] = maps[0]!.shape;
  const conv = (x: tf.Tensor4D, kernel: tf.Tensor4D) => {
    const [, h, w] = x.shape;
    if (h === height && w === width) return convSame(x, kernel);
    if (h <= height && w <= width) return convResized(x, kernel, [height, width]);
    return convSame(resizeBilinear(x, [height, width]), kernel);
  };
  if (maps.length === 1) return conv(maps[0]!, kernel);
  return tf.tidy(() => {
    const channels = maps.map((x) => x.shape[3]);
    const kernels = tf.split<tf.Tensor4D>(kernel, channels, 2);
    return sumOf(maps.map((x, i) => conv(x, kernels[i]!)));
  });
}
