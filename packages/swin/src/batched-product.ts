import * as tf from '@tensorflow/tfjs-core';

/**
 * Products of many small matrices: `a[g] · b[g]`, or `a[g] · b[g]ᵀ`.
 *
 * The same as `tf.matMul` on rank 3. The wasm backend multiplies batches with plain loops, at 2.2 GFLOP/s; its
 * depthwise convolution does the same sums six times as fast, transposes included (192 products of 49 × 32 × 49: 13.5
 * against 3 ms). There it is used, forward and backward; elsewhere `tf.matMul` is.
 *
 * @param a [batch, rows, inner].
 * @param b [batch, inner, columns], or [batch, columns, inner] with `transposeB`.
 * @param transposeB Whether the matrices of `b` are transposed.
 * @returns [batch, rows, columns].
 */
export function batchedProduct(a: tf.Tensor3D, b: tf.Tensor3D, transposeB = false): tf.Tensor3D {
  if (tf.getBackend() !== 'wasm') return tf.matMul(a, b, false, transposeB);
  const op = tf.customGrad((...args) => {
    const [a, b, save] = args as unknown as [tf.Tensor3D, tf.Tensor3D, tf.GradSaveFunc];
    save([a, b]);
    return {
      value: byConvolution(a, b, false, transposeB),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [a, b] = saved as [tf.Tensor3D, tf.Tensor3D];
        const d = dy as tf.Tensor3D;
        const da = byConvolution(d, b, false, !transposeB);
        const db = transposeB ? byConvolution(d, a, true, false) : byConvolution(a, d, true, false);
        return [da, db] as unknown as tf.Tensor;
      },
    };
  });
  return op(a, b) as tf.Tensor3D;
}

/**
 * Batched products as one depthwise convolution: the batch becomes the channels, the rows the height and the inner
 * axis the width of an image; each column is a filter as wide as the image.
 */
function byConvolution(
  a: tf.Tensor3D,
  b: tf.Tensor3D,
  transposeA: boolean,
  transposeB: boolean,
): tf.Tensor3D {
  return tf.tidy(() => {
    const image = tf.transpose(a, transposeA ? [2, 1, 0] : [1, 2, 0]); // [rows, inner, batch]
    const filter = tf.transpose(b, transposeB ? [2, 0, 1] : [1, 0, 2]); // [inner, batch, columns]
    const [rows, inner, batch] = image.shape as [number, number, number];
    const columns = filter.shape[2]!;
    const y = tf.depthwiseConv2d(
      tf.reshape(image, [1, rows, inner, batch]) as tf.Tensor4D,
      tf.reshape(filter, [1, inner, batch, columns]) as tf.Tensor4D,
      1,
      'valid',
    ); // [1, rows, 1, batch * columns]
    return tf.transpose(tf.reshape(y, [rows, batch, columns]), [1, 0, 2]) as tf.Tensor3D;
  });
}
