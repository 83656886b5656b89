import * as tf from '@tensorflow/tfjs-core';
import { weightedSum } from './weighted-sum.ts';

/** Options of {@link smoothL1Loss}. */
export interface SmoothL1Options {
  /** The difference from which on the loss is linear; 1 by default. 0 makes it the absolute difference. */
  beta?: number;
  /** Factor of each row, [rows]. */
  weights?: tf.Tensor1D;
}

/**
 * The sum of |d| − β/2 where |d| ≥ β, else d² / 2β, of the differences d between rows. One operation with a hand-written
 * gradient.
 *
 * Source: Girshick, Fast R-CNN, arXiv 1504.08083, equation 3; equal to `torch.nn.functional.smooth_l1_loss` and, with a beta
 * of 0, to `l1_loss`.
 *
 * @param predictions Shape [rows, columns].
 * @param targets Of the same shape; they get no gradient.
 * @returns A scalar.
 */
export function smoothL1Loss(
  predictions: tf.Tensor2D,
  targets: tf.Tensor2D,
  { beta = 1, weights }: SmoothL1Options = {},
): tf.Scalar {
  return weightedSum(predictions, targets, weights, {
    value: (x, targets) => {
      const distance = tf.abs(tf.sub(x, targets));
      if (beta === 0) return distance;
      const inner = tf.minimum(distance, beta);
      return tf.mul(inner, tf.div(tf.sub(distance, tf.mul(inner, 0.5)), beta));
    },
    slope: (x, targets) => {
      const difference = tf.sub(x, targets);
      return beta === 0 ? tf.sign(difference) : tf.clipByValue(tf.div(difference, beta), -1, 1);
    },
  });
}

/** Options of {@link giouLoss}. */
export interface GiouOptions {
  /** The least union and hull; 1e-6 by default. */
  epsilon?: number;
  /** Factor of each row, [rows]. */
  weights?: tf.Tensor1D;
}

/**
 * The sum of 1 − GIoU of each predicted box and its target. One operation with a hand-written gradient; where two edges
 * are equal it is the mean of both sides, as in PyTorch.
 *
 * Source: Rezatofighi et al., arXiv 1902.09630; equal to mmdetection's `GIoULoss` and torchvision's
 * `generalized_box_iou_loss`.
 *
 * @param predictions Boxes `x1 y1 x2 y2`, [boxes, 4].
 * @param targets Of the same shape; they get no gradient.
 * @returns A scalar.
 */
export function giouLoss(
  predictions: tf.Tensor2D,
  targets: tf.Tensor2D,
  { epsilon = 1e-6, weights }: GiouOptions = {},
): tf.Scalar {
  return weightedSum(predictions, targets, weights, {
    // 1 − GIoU = 2 − shared / union − union / hull
    value: (x, targets) => {
      const { shared, union, hull } = areasOf(x, targets, epsilon);
      return tf.sub(tf.sub(2, tf.div(shared, union)), tf.div(union, hull));
    },
    slope: (x, targets) => giouSlope(x, targets, epsilon),
  });
}

/** Of pairs of boxes: corners, [boxes, 2], then sides of what they share and of their hull; areas are [boxes, 1]. */
function areasOf(x: tf.Tensor, targets: tf.Tensor, epsilon: number) {
  const [low, high] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];
  const [targetLow, targetHigh] = tf.split(targets, 2, 1) as [tf.Tensor, tf.Tensor];
  const sides = tf.sub(high, low);
  const sharedSides = tf.relu(tf.sub(tf.minimum(high, targetHigh), tf.maximum(low, targetLow)));
  const hullSides = tf.sub(tf.maximum(high, targetHigh), tf.minimum(low, targetLow));
  const area = (sides: tf.Tensor) => tf.prod(sides, 1, true);
  const shared = area(sharedSides);
  const both = tf.add(area(sides), area(tf.sub(targetHigh, targetLow)));
  const union = tf.maximum(tf.sub(both, shared), epsilon);
  const hull = tf.maximum(area(hullSides), epsilon);
  return { low, high, targetLow, targetHigh, sides, sharedSides, hullSides, shared, union, hull };
}

function giouSlope(x: tf.Tensor, targets: tf.Tensor, epsilon: number): tf.Tensor {
  const a = areasOf(x, targets, epsilon);
  const byUnion = tf.sub(tf.div(tf.div(a.shared, a.union), a.union), tf.div(1, a.hull));
  const byShared = tf.neg(tf.add(tf.div(1, a.union), byUnion)); // the union falls as what is shared grows
  const byHull = tf.div(tf.div(a.union, a.hull), a.hull);
  /** The derivative of an area by its own sides: the other side. */
  const other = (sides: tf.Tensor) => tf.reverse(sides, 1);
  const byOwnSides = tf.mul(byUnion, other(a.sides));
  const bySharedSides = tf.mul(tf.mul(byShared, other(a.sharedSides)), tf.step(a.sharedSides));
  const byHullSides = tf.mul(byHull, other(a.hullSides));
  /** 1 where the first is the greater, a half where they are equal. */
  const greater = (p: tf.Tensor, q: tf.Tensor) => tf.mul(tf.add(tf.sign(tf.sub(p, q)), 1), 0.5);
  const bySide = (inner: tf.Tensor, outer: tf.Tensor) =>
    tf.add(byOwnSides, tf.add(tf.mul(bySharedSides, inner), tf.mul(byHullSides, outer)));
  const byLow = bySide(greater(a.low, a.targetLow), greater(a.targetLow, a.low));
  const byHigh = bySide(greater(a.targetHigh, a.high), greater(a.high, a.targetHigh));
  return tf.concat([tf.neg(byLow), byHigh], 1);
}
