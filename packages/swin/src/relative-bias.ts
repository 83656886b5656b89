import * as tf from '@tensorflow/tfjs-core';

/**
 * The bias that attention adds to each pair of tokens of a window, read from a table by their relative position.
 *
 * Entry (h; a, b) is row `(dy + window - 1) * (2 * window - 1) + dx + window - 1` of column h, where (dy, dx) is the
 * position of query a minus that of key b. The table is read by two products with a 0/1 matrix, one an axis: exact,
 * and with a gradient on every backend (that of a gather needs a kernel that wasm lacks).
 * Source: Liu et al., arXiv 2103.14030, equation 4.
 *
 * @param table [(2 * window - 1)², heads].
 * @param window Side of a window in tokens.
 * @returns [heads, window⁴], for each head a row-major [window², window²] matrix of queries and keys.
 */
export function relativePositionBias(table: tf.Tensor2D, window: number): tf.Tensor2D {
  return tf.tidy(() => {
    const heads = table.shape[1];
    const span = 2 * window - 1;
    const pairs = pairMatrix(window);
    const byHead = tf.transpose(tf.reshape(table, [span, span, heads]), [2, 1, 0]); // [heads, dx, dy]
    const tall = tf.matMul(tf.reshape(byHead, [heads * span, span]), pairs); // [heads * dx, (ya, yb)]
    const turned = tf.transpose(tf.reshape(tall, [heads, span, window ** 2]), [0, 2, 1]); // [heads, (ya, yb), dx]
    const both = tf.matMul(tf.reshape(turned, [heads * window ** 2, span]), pairs); // [heads * (ya, yb), (xa, xb)]
    const grid = tf.reshape(both, [heads * window, window, window, window]); // [heads * ya, yb, xa, xb]
    return tf.reshape(tf.transpose(grid, [0, 2, 1, 3]), [heads, window ** 4]);
  });
}

/** [2 * window - 1, window²]: column (a, b) has its one in row a - b + window - 1. */
function pairMatrix(window: number): tf.Tensor2D {
  const values = new Float32Array((2 * window - 1) * window ** 2);
  for (let a = 0; a < window; a++) {
    for (let b = 0; b < window; b++) values[(a - b + window - 1) * window ** 2 + a * window + b] = 1;
  }
  return tf.tensor2d(values, [2 * window - 1, window ** 2]);
}
