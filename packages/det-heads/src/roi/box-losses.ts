import * as tf from '@tensorflow/tfjs-core';
import { type BoxCoding, decodeBoxTensors, encodeBoxes } from '../box-coding.ts';
import { takeBoxes } from '../boxes.ts';
import type { BoxLossOptions } from '../dense/losses.ts';
import { giouLoss, smoothL1Loss } from '../losses/box-losses.ts';
import { softmaxLoss } from '../losses/cross-entropy.ts';

/** What the outputs of a box head have to become. */
export interface BoxGoals {
  /** The regions, `x1 y1 x2 y2`, four numbers each. */
  rois: Float32Array;
  /** The class of each region; the number of classes for background. */
  labels: Int32Array;
  /** Places of the positives among the regions. */
  positives: Int32Array;
  /** Boxes of their objects, four numbers each. */
  boxes: Float32Array;
}

/**
 * The losses of a box head, both over the number of regions: cross-entropy, and the boxes of the positives.
 *
 * Equal to mmdetection's `BBoxHead.loss` and torchvision's `fastrcnn_loss`.
 *
 * @param logits Shape [regions, classes + 1], the last one for background; at least one region.
 * @param deltas Shape [regions, 4], or [regions, 4 · classes] with four numbers a class.
 */
export function boxLosses(
  logits: tf.Tensor2D,
  deltas: tf.Tensor2D,
  { rois, labels, positives, boxes }: BoxGoals,
  coding: BoxCoding,
  options: Required<BoxLossOptions>,
): { classes: tf.Scalar; boxes: tf.Scalar } {
  const share = 1 / labels.length;
  const summed = softmaxLoss(logits, tf.tensor1d(labels, 'int32'));
  const classes = tf.mul(summed, share) as tf.Scalar;
  if (positives.length === 0) return { classes, boxes: tf.scalar(0) };
  const perRegion = deltas.shape[1] / 4;
  const rows = positives.map((i) => i * perRegion + (perRegion > 1 ? labels[i]! : 0));
  const flat = tf.reshape(deltas, [labels.length * perRegion, 4]) as tf.Tensor2D;
  const own = tf.gather(flat, tf.tensor1d(rows, 'int32'));
  const sum = deltaLoss(own, takeBoxes(rois, positives), boxes, coding, options);
  return { classes, boxes: tf.mul(sum, share * options.boxLossWeight) as tf.Scalar };
}

/** The loss of deltas [boxes, 4] that should lead from some boxes to others, summed. */
function deltaLoss(
  deltas: tf.Tensor2D,
  from: Float32Array,
  to: Float32Array,
  coding: BoxCoding,
  { boxLoss, beta }: Required<BoxLossOptions>,
): tf.Scalar {
  const goal = (numbers: Float32Array) => tf.tensor2d(numbers, deltas.shape);
  if (boxLoss === 'giou') return giouLoss(decodeBoxTensors(deltas, from, coding), goal(to));
  return smoothL1Loss(deltas, goal(encodeBoxes(from, to, coding)), { beta: boxLoss === 'l1' ? 0 : beta });
}
