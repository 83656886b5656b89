import * as tf from '@tensorflow/tfjs-core';
import { type BoxCoding, decodeBoxTensors } from '../box-coding.ts';
import { takeBoxes } from '../boxes.ts';
import type { DetectionLosses } from '../detection.ts';
import { giouLoss, smoothL1Loss } from '../losses/box-losses.ts';
import type { DenseOutputs } from './outputs.ts';
import type { AnchorGrid, DenseTargets } from './targets.ts';

/** How far a box is from its object's. */
export interface BoxLossOptions {
  /**
   * `'l1'`: the absolute difference of the deltas. `'smooth-l1'`: see {@link smoothL1Loss}. `'giou'`: 1 − GIoU of the decoded
   * boxes.
   */
  boxLoss?: 'l1' | 'smooth-l1' | 'giou';
  /** Where smooth L1 becomes linear; 1/9 by default. */
  beta?: number;
  /** Factor of the boxes' part of the loss; 1 by default. */
  boxLossWeight?: number;
}

/** The loss of the logits of a level, summed: [rows, classes], int32 labels [rows] and weights [rows]. */
export type ClassLoss = (logits: tf.Tensor2D, labels: tf.Tensor1D, weights: tf.Tensor1D) => tf.Scalar;

/** The losses of every level together, `classes` and `boxes`, each weighted as the targets say. Reads no tensor. */
export function denseLosses(
  { logits, deltas }: DenseOutputs,
  targets: DenseTargets,
  classLoss: ClassLoss,
  boxLoss: BoxLoss,
): { classes: tf.Scalar; boxes: tf.Scalar } {
  const classes = logits.map((level, l) =>
    tf.tidy(() => {
      const rows = tf.reshape(level, [-1, level.shape[2]]) as tf.Tensor2D;
      const labels = tf.tensor1d(targets.ofLevel(targets.labels, l), 'int32');
      return classLoss(rows, labels, tf.tensor1d(targets.ofLevel(targets.classWeights, l)));
    }),
  );
  const boxes = deltas.map((level, l) =>
    tf.tidy(() => boxLoss(tf.reshape(level, [-1, 4]) as tf.Tensor2D, targets, l)),
  );
  return { classes: tf.addN(classes), boxes: tf.addN(boxes) };
}

/** The loss of the deltas of a level, [images · anchors, 4], summed. */
export type BoxLoss = (deltas: tf.Tensor2D, targets: DenseTargets, level: number) => tf.Scalar;

/** The loss of boxes that the options describe. */
export function boxLossOf(
  { boxLoss = 'l1', beta = 1 / 9, boxLossWeight = 1 }: BoxLossOptions,
  grid: AnchorGrid,
  coding: BoxCoding,
): BoxLoss {
  return (deltas, targets, level) => {
    const weights = targets.ofLevel(targets.boxWeights, level).map((w) => w * boxLossWeight);
    if (boxLoss === 'giou') return decodedLoss(deltas, targets, weights, grid.levels[level]!, coding, level);
    const goals = tf.tensor2d(targets.ofLevel(targets.deltas, level), deltas.shape);
    const options = { beta: boxLoss === 'l1' ? 0 : beta, weights: tf.tensor1d(weights) };
    return smoothL1Loss(deltas, goals, options);
  };
}

/** Of the anchors with a weight alone: to decode all would cost more than the head. */
function decodedLoss(
  deltas: tf.Tensor2D,
  targets: DenseTargets,
  weights: Float32Array,
  anchors: Float32Array,
  coding: BoxCoding,
  level: number,
): tf.Scalar {
  const rows = Array.from(weights.keys()).filter((i) => weights[i]! > 0);
  if (rows.length === 0) return tf.scalar(0);
  const own = rows.map((i) => i % (anchors.length / 4));
  const picked = tf.gather(deltas, tf.tensor1d(rows, 'int32'));
  const boxes = decodeBoxTensors(picked, takeBoxes(anchors, own), coding);
  const goals = tf.tensor2d(takeBoxes(targets.ofLevel(targets.boxes, level), rows), [rows.length, 4]);
  return giouLoss(boxes, goals, { weights: tf.tensor1d(rows.map((i) => weights[i]!)) });
}

/** Named losses and their sum. */
export function withTotal(losses: Record<string, tf.Scalar>): DetectionLosses {
  return { total: tf.addN(Object.values(losses)), losses };
}

/** What `run` returns, in a tidy of its own: outside of a gradient nothing else stays. */
export function tidyLosses(run: () => DetectionLosses): DetectionLosses {
  let losses: DetectionLosses | undefined;
  tf.tidy(() => {
    losses = run();
    return [losses.total, losses.losses];
  });
  return losses!;
}
