import * as tf from '@tensorflow/tfjs-core';

/**
 * The mean binary cross-entropy of mask logits, each region's on the channel of its class alone, as one operation with a
 * hand-written gradient that keeps that channel only.
 *
 * Source: He et al., arXiv 1703.06870, section 3; equal to torchvision's `maskrcnn_loss` and mmdetection's mask loss.
 *
 * @param logits Shape [regions, h, w, classes].
 * @param labels Class of each region.
 * @param targets Shape [regions, h, w] row by row, values of 0 to 1.
 * @returns A scalar; 0 without regions.
 */
export function maskLoss(logits: tf.Tensor4D, labels: Int32Array, targets: Float32Array): tf.Scalar {
  const [regions, height, width, classes] = logits.shape;
  if (regions === 0) return tf.scalar(0);
  const goals = () => tf.tensor3d(targets, [regions, height * width, 1]);
  // int32 first: wasm's one-hot writes integers whatever type it is asked for
  const own = () =>
    tf.tidy(() => {
      const rows = tf.oneHot(tf.tensor1d(labels, 'int32'), classes);
      return tf.reshape(tf.cast(rows, 'float32'), [regions, 1, classes]);
    });
  const op = tf.customGrad((logits, save) => {
    const [z, value] = tf.tidy(() => {
      const pixels = tf.reshape(logits as tf.Tensor, [regions, height * width, classes]);
      const z = tf.sum(tf.mul(pixels, own()), 2, true);
      // max(z, 0) − z·t + log(1 + e^−|z|)
      const losses = tf.add(tf.sub(tf.relu(z), tf.mul(z, goals())), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));
      return [z, tf.mean(losses)] as [tf.Tensor, tf.Scalar];
    });
    (save as tf.GradSaveFunc)([z]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [z]: tf.Tensor[]) =>
        tf.tidy(() => {
          const each = tf.mul(tf.sub(tf.sigmoid(z!), goals()), tf.div(dy, z!.size));
          return tf.reshape(tf.mul(each, own()), [regions, height, width, classes]);
        }),
    };
  });
  return op(logits) as tf.Scalar;
}
