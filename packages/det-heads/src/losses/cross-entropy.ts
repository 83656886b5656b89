import * as tf from '@tensorflow/tfjs-core';
import { oneHot, softplus, weightedSum } from './weighted-sum.ts';

/**
 * The cross-entropy −log softmax(z)ᵧ, summed over rows: of box heads, whose last class is the background. One operation with
 * a hand-written gradient, stable for logits of any size.
 *
 * Equal to `torch.nn.functional.cross_entropy` with `reduction='sum'`.
 *
 * @param logits Shape [rows, classes].
 * @param labels int32 [rows], each a class.
 * @param weights Factor of each row, [rows].
 * @returns A scalar.
 */
export function softmaxLoss(logits: tf.Tensor2D, labels: tf.Tensor1D, weights?: tf.Tensor1D): tf.Scalar {
  return weightedSum(logits, labels, weights, {
    value: (x, labels) => {
      const isOwn = tf.cast(oneHot(labels, x.shape[1]!), 'bool');
      // selected, not multiplied: 0 times an infinite logit of another class would not be 0
      const own = tf.sum(tf.where(isOwn, x, tf.zerosLike(x)), 1);
      return tf.sub(tf.logSumExp(x, 1), own);
    },
    slope: (x, labels) => tf.sub(tf.softmax(x as tf.Tensor2D), oneHot(labels, x.shape[1]!)),
  });
}

/**
 * The binary cross-entropy of logits with targets of 0 to 1, summed. One operation with a hand-written gradient, stable for
 * logits of any size.
 *
 * Equal to `torch.nn.functional.binary_cross_entropy_with_logits` with `reduction='sum'`.
 *
 * @param logits Shape [rows, …].
 * @param targets Of the same shape; they get no gradient.
 * @param weights Factor of each row, [rows].
 * @returns A scalar.
 */
export function sigmoidLoss(logits: tf.Tensor, targets: tf.Tensor, weights?: tf.Tensor1D): tf.Scalar {
  return weightedSum(logits, targets, weights, {
    value: (x, targets) => tf.sub(softplus(x), tf.mul(x, targets)),
    slope: (x, targets) => tf.sub(tf.sigmoid(x), targets),
  });
}
