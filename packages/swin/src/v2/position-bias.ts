import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../dense.ts';
import { relativePositionBias } from '../relative-bias.ts';

/** Weights of the network that gives the bias of a pair of tokens from their relative position. */
export interface PositionNetwork {
  /** [2, hidden]; the inputs are the row and the column. */
  hidden: tf.Tensor2D;
  /** [hidden]. */
  bias: tf.Tensor1D;
  /** [hidden, heads]. */
  out: tf.Tensor2D;
}

/**
 * Log-spaced relative coordinates of the tokens of a window: sign(d) log₂(1 + 8 |d| / (pretrained - 1)) / log₂ 8 for d from
 * 1 - window to window - 1.
 *
 * Source: Liu et al., arXiv 2111.09883, equation 4, scaled as in the official code.
 *
 * @param window Side of a window in tokens.
 * @param pretrained Side of the window in pretraining, whose largest distance is 8.
 * @returns [(2 * window - 1)², 2] in row-major order of (row, column) distances.
 */
function logCoordinates(window: number, pretrained: number): Float32Array {
  const span = 2 * window - 1;
  const axis = Array.from({ length: span }, (_, i) => {
    const distance = (8 * (i - window + 1)) / Math.max(pretrained - 1, 1);
    return (Math.sign(distance) * Math.log2(1 + Math.abs(distance))) / 3;
  });
  return Float32Array.from(axis.flatMap((dy) => axis.flatMap((dx) => [dy, dx])));
}

/**
 * The continuous relative position bias: 16 · sigmoid(ReLU(d · hidden + bias) · out) for the log-spaced relative position d
 * of each pair of tokens.
 *
 * Source: Liu et al., arXiv 2111.09883, section 3.3; the sigmoid is that of the official code.
 *
 * @param network Weights of the two layers.
 * @param window Side of a window in tokens.
 * @param pretrained Side of the window in pretraining; default the same.
 * @returns [heads, window⁴], for each head a row-major [window², window²] matrix of queries and keys.
 */
export function continuousPositionBias(
  { hidden, bias, out }: PositionNetwork,
  window: number,
  pretrained: number = window,
): tf.Tensor2D {
  return tf.tidy(() => {
    const coordinates = tf.tensor2d(logCoordinates(window, pretrained), [(2 * window - 1) ** 2, 2]);
    const scores = linear(tf.relu(linear(coordinates, hidden, bias)), out) as tf.Tensor2D;
    return relativePositionBias(tf.mul(tf.sigmoid(scores), 16), window);
  });
}
