import * as tf from '@tensorflow/tfjs-core';

/**
 * One entry of the first axis.
 *
 * The same as a slice. The wasm backend copies the whole tensor out of its heap before it slices (queries, keys and
 * values of 3136 tokens of 96 channels: 6 ms); there a depthwise convolution with a one-hot filter as high as the
 * axis picks the entry (0.4 ms), and the gradient pads with zeros.
 *
 * @param x [n, a, b, c].
 * @param index 0 to n - 1.
 * @returns [a, b, c].
 */
export function entry(x: tf.Tensor4D, index: number): tf.Tensor3D {
  const [n, a, b, c] = x.shape;
  if (tf.getBackend() !== 'wasm') return tf.reshape(tf.slice(x, [index, 0, 0, 0], [1, a, b, c]), [a, b, c]);
  const op = tf.customGrad((x) => ({
    value: tf.tidy(() => {
      const filter = new Float32Array(n * b * c).fill(1, index * b * c, (index + 1) * b * c);
      const image = tf.reshape(x as tf.Tensor, [1, n, a, b * c]) as tf.Tensor4D;
      const y = tf.depthwiseConv2d(image, tf.tensor4d(filter, [n, 1, b * c, 1]), 1, 'valid');
      return tf.reshape(y, [a, b, c]);
    }),
    gradFunc: (dy: tf.Tensor) =>
      tf.pad(tf.reshape(dy, [1, a, b, c]), [
        [index, n - 1 - index],
        [0, 0],
        [0, 0],
        [0, 0],
      ]),
  }));
  return op(x) as tf.Tensor3D;
}
