import * as tf from '@tensorflow/tfjs-core';
import { sigmoidLoss } from '../losses/cross-entropy.ts';
import { oneHot } from '../losses/weighted-sum.ts';

/**
 * Of the masks of every class the one of each region's own class, as one operation that keeps nothing for its gradient.
 *
 * @param masks Shape [regions, h, w, classes].
 * @param labels Class of each region.
 * @returns Shape [regions, h · w].
 */
export function ownMasks(masks: tf.Tensor4D, labels: Int32Array): tf.Tensor2D {
  const [regions, height, width, classes] = masks.shape;
  const pixels = height * width;
  const chosen = () => tf.reshape(oneHot(tf.tensor1d(labels, 'int32'), classes), [regions, 1, classes]);
  const op = tf.customGrad((input) => ({
    value: tf.tidy(() =>
      tf.sum(tf.mul(tf.reshape(input as tf.Tensor, [regions, pixels, classes]), chosen()), 2),
    ),
    gradFunc: (dy: tf.Tensor) =>
      tf.tidy(() => tf.reshape(tf.mul(tf.reshape(dy, [regions, pixels, 1]), chosen()), masks.shape)),
  }));
  return op(masks) as tf.Tensor2D;
}

/**
 * The mean binary cross-entropy of mask logits, each region's on the channel of its class alone.
 *
 * Source: He et al., arXiv 1703.06870, section 3; equal to torchvision's `maskrcnn_loss` and mmdetection's mask loss.
 *
 * @param logits Shape [regions, h, w, classes].
 * @param labels Class of each region.
 * @param targets Shape [regions, h, w] row by row, values of 0 to 1.
 * @returns A scalar; 0 without regions.
 */
export function maskLoss(logits: tf.Tensor4D, labels: Int32Array, targets: Float32Array): tf.Scalar {
  if (labels.length === 0) return tf.scalar(0);
  const goals = tf.tensor2d(targets, [labels.length, targets.length / labels.length]);
  return tf.mul(sigmoidLoss(ownMasks(logits, labels), goals), 1 / targets.length) as tf.Scalar;
}
