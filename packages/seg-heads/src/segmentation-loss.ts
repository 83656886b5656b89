import { resizeBilinear } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { type CrossEntropyOptions, softmaxCrossEntropy } from './cross-entropy.ts';

/** What the heads of one step put out. */
export interface SegmentationLogits {
  /** Logits of the main head, [batch, h, w, classes]. */
  logits: tf.Tensor4D;
  /** Logits of the auxiliary head, [batch, h′, w′, classes]. */
  auxLogits?: tf.Tensor4D;
}

/** Options of {@link segmentationLoss}. */
export interface SegmentationLossOptions extends CrossEntropyOptions {
  /** Weight of the auxiliary loss; 0.4 by default. */
  auxWeight?: number;
}

/**
 * The loss of UPerNet: cross-entropy of the main logits, plus 0.4 times that of the auxiliary ones, each resized to the
 * labels first (bilinear, half-pixel centres).
 *
 * Source: Xiao et al., arXiv 1807.10221; the loss of mmsegmentation's and Hugging Face's UPerNet.
 *
 * @param labels int32, shape [batch, height, width] of the image.
 * @returns A scalar.
 * @throws as {@link softmaxCrossEntropy} does.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { segmentationLoss } from '@e3va/seg-heads';
 *
 * await tf.setBackend('cpu');
 * const logits = tf.zeros<tf.Rank.R4>([1, 8, 8, 5]);
 * const labels = tf.zeros<tf.Rank.R3>([1, 32, 32], 'int32');
 * console.log(segmentationLoss({ logits, auxLogits: logits }, labels).dataSync()[0]); // 1.4 log 5 = 2.2532
 * ```
 */
export function segmentationLoss(
  { logits, auxLogits }: SegmentationLogits,
  labels: tf.Tensor3D,
  { auxWeight = 0.4, ...options }: SegmentationLossOptions = {},
): tf.Scalar {
  const size: [number, number] = [labels.shape[1], labels.shape[2]];
  const lossOf = (z: tf.Tensor4D) => softmaxCrossEntropy(resizeBilinear(z, size), labels, options);
  return tf.tidy(() => {
    const loss = lossOf(logits);
    return auxLogits ? tf.add(loss, tf.mul(lossOf(auxLogits), auxWeight)) : loss;
  });
}
