import * as tf from '@tensorflow/tfjs-core';
import { oneHot, softplus, weightedSum } from './weighted-sum.ts';

/** Options of {@link focalLoss}. */
export interface FocalOptions {
  /** Weight of the own class, that of the others being 1 − alpha; 0.25 by default. Below 0: both are 1. */
  alpha?: number;
  /** How strongly entries that are right already lose weight; 2 by default. */
  gamma?: number;
  /** Factor of each row, [rows]: 0 for those without a part in the loss. */
  weights?: tf.Tensor1D;
}

/**
 * The focal loss −αₜ (1 − pₜ)^γ log pₜ, summed over rows and classes, each class a decision of its own.
 *
 * One operation with a hand-written gradient, which keeps logits and labels alone; stable for logits of any size.
 *
 * Source: Lin et al., arXiv 1708.02002, equation 5; equal to torchvision's `sigmoid_focal_loss`.
 *
 * @param logits Shape [rows, classes].
 * @param labels int32 [rows]; a label that is no class is background.
 * @returns A scalar.
 */
export function focalLoss(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  { alpha = 0.25, gamma = 2, weights }: FocalOptions = {},
): tf.Scalar {
  const power = (p: tf.Tensor) => (gamma === 2 ? tf.square(p) : tf.pow(p, gamma));
  const balance = (own: tf.Tensor) => (alpha < 0 ? 1 : tf.add(tf.mul(own, 2 * alpha - 1), 1 - alpha));
  /** Wrong by s, the logit with its sign turned for the own class: 1 − pₜ = σ(s), −log pₜ = softplus(s). */
  const wrongness = (x: tf.Tensor, own: tf.Tensor) => tf.mul(x, tf.sub(1, tf.mul(own, 2)));
  return weightedSum(logits, labels, weights, {
    value: (x, labels) =>
      tf.tidy(() => {
        const own = oneHot(labels, x.shape[1]!);
        const s = wrongness(x, own);
        return tf.mul(tf.mul(power(tf.sigmoid(s)), softplus(s)), balance(own));
      }),
    slope: (x, labels) =>
      tf.tidy(() => {
        const own = oneHot(labels, x.shape[1]!);
        const s = wrongness(x, own);
        const p = tf.sigmoid(s);
        // d/ds σ^γ softplus = σ^γ (γ (1 − σ) softplus + σ), and s turns the sign
        const focused = tf.add(tf.mul(tf.mul(tf.sub(1, p), gamma), softplus(s)), p);
        return wrongness(tf.mul(tf.mul(power(p), focused), balance(own)), own);
      }),
  });
}
