import * as tf from '@tensorflow/tfjs-core';
import type { ImageSize } from './detection.ts';

/** How boxes are written as deltas to other boxes. */
export interface BoxCoding {
  /**
   * What dx, dy, dw and dh are divided by: their standard deviations. 1 each by default, mmdetection's RetinaNet and RPN;
   * torchvision's `weights` are 1 over them.
   */
  stds?: readonly [number, number, number, number];
  /**
   * Which of dw and dh count as ±log(1000 / 16) when decoding: those beyond it in both directions (`'both'`, the default,
   * as in mmdetection), or those that grow the box alone (`'growth'`, as in torchvision).
   */
  clip?: 'both' | 'growth';
}

const maxLogScale = Math.log(1000 / 16);
const unit = [1, 1, 1, 1] as const;

/** Sides of 0 would make deltas infinite. */
const leastSide = 1e-6;

/**
 * The deltas that lead from boxes to their targets: ((X − x) / w, (Y − y) / h, log(W / w), log(H / h)) / stds, of centres and
 * sizes.
 *
 * Source: Girshick et al., arXiv 1311.2524, appendix C.
 *
 * @param boxes Boxes `x1 y1 x2 y2`, four numbers each: anchors or proposals.
 * @param targets As many boxes.
 * @returns Four numbers a box, finite for finite boxes.
 */
export function encodeBoxes(
  boxes: Float32Array,
  targets: Float32Array,
  { stds = unit }: BoxCoding = {},
): Float32Array {
  const deltas = new Float32Array(boxes.length);
  for (let at = 0; at < boxes.length; at += 4) {
    for (let axis = 0; axis < 2; axis++) {
      const [from, to] = [boxes[at + axis]!, boxes[at + axis + 2]!];
      const [targetFrom, targetTo] = [targets[at + axis]!, targets[at + axis + 2]!];
      const side = Math.max(leastSide, to - from);
      const offset = (targetFrom + targetTo - from - to) / 2 / side;
      deltas[at + axis] = offset / stds[axis]!;
      deltas[at + axis + 2] = Math.log(Math.max(leastSide, targetTo - targetFrom) / side) / stds[axis + 2]!;
    }
  }
  return deltas;
}

/**
 * The boxes that deltas lead to, the inverse of {@link encodeBoxes}.
 *
 * @param deltas Four numbers a box, or for several classes four a class: shape [boxes, 4 · classes].
 * @param boxes Boxes `x1 y1 x2 y2`, four numbers each.
 * @param size Where given, the boxes are clipped to it.
 * @returns Of the shape of the deltas.
 */
export function decodeBoxes(
  deltas: Float32Array,
  boxes: Float32Array,
  { stds = unit, clip = 'both' }: BoxCoding = {},
  size?: ImageSize,
): Float32Array {
  const decoded = new Float32Array(deltas.length);
  const classes = boxes.length === 0 ? 1 : deltas.length / boxes.length;
  const least = clip === 'both' ? -maxLogScale : Number.NEGATIVE_INFINITY;
  const limits = [size?.width, size?.height];
  for (let at = 0; at < deltas.length; at += 4) {
    const box = 4 * Math.floor(at / (4 * classes));
    for (let axis = 0; axis < 2; axis++) {
      const [from, to] = [boxes[box + axis]!, boxes[box + axis + 2]!];
      const centre = (from + to) / 2 + deltas[at + axis]! * stds[axis]! * (to - from);
      const growth = Math.min(maxLogScale, Math.max(least, deltas[at + axis + 2]! * stds[axis + 2]!));
      const half = ((to - from) * Math.exp(growth)) / 2;
      const limit = limits[axis];
      const inside = (v: number) => (limit === undefined ? v : Math.min(limit, Math.max(0, v)));
      decoded[at + axis] = inside(centre - half);
      decoded[at + axis + 2] = inside(centre + half);
    }
  }
  return decoded;
}

/**
 * {@link decodeBoxes} of tensors, differentiable in the deltas: for losses of decoded boxes. Where a clip holds, dw and dh
 * have no gradient.
 *
 * @param deltas Shape [boxes, 4].
 * @param boxes Boxes `x1 y1 x2 y2`, four numbers each.
 * @returns Shape [boxes, 4], not clipped to an image.
 */
export function decodeBoxTensors(
  deltas: tf.Tensor2D,
  boxes: Float32Array,
  { stds = unit, clip = 'both' }: BoxCoding = {},
): tf.Tensor2D {
  return tf.tidy(() => {
    const [moves, growths] = tf.split(tf.mul(deltas, tf.tensor1d([...stds])), 2, 1);
    const [corners, opposite] = tf.split(tf.tensor2d(boxes, [boxes.length / 4, 4]), 2, 1);
    const sides = tf.sub(opposite!, corners!);
    const centres = tf.mul(tf.add(corners!, opposite!), 0.5);
    // e^-100 of any box is nothing, and the number is finite on every backend
    const clipped = tf.clipByValue(growths!, clip === 'both' ? -maxLogScale : -100, maxLogScale);
    const middle = tf.add(centres, tf.mul(moves!, sides));
    const halves = tf.mul(tf.exp(clipped), tf.mul(sides, 0.5));
    return tf.concat([tf.sub(middle, halves), tf.add(middle, halves)], 1) as tf.Tensor2D;
  });
}
