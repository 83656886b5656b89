import { ShapeError } from '@e3va/highway-grad';
import type * as tf from '@tensorflow/tfjs-core';
import { LabelRangeError } from './errors.ts';

/** Label tensors that were found in range, with the range: a second loss on the same tensor reads nothing. */
const checked = new WeakMap<tf.Tensor, string>();

/**
 * Checks that `labels` is of int32 and of the pixels of `logits`.
 *
 * @throws ShapeError otherwise.
 */
export function checkLabelShape(labels: tf.Tensor, shape: number[]): void {
  if (labels.dtype === 'int32' && labels.shape.join() === shape.join()) return;
  throw new ShapeError({
    what: 'the labels do not fit the logits',
    expected: `int32 [${shape}]`,
    received: `${labels.dtype} [${labels.shape}]`,
    fix: 'pass one class index a pixel; segmentationLoss resizes the logits to the labels',
  });
}

/**
 * Checks that every label is a class index, 0 to `classes` − 1, or `ignoreIndex`.
 *
 * This reads the values, off the tape. On a CPU backend (cpu, wasm, tensorflow) that costs about a millisecond for
 * 300,000 pixels. A GPU backend keeps a tensor's values on the CPU until a kernel uses it, so a freshly made tensor
 * is as cheap; for labels that a kernel has made or used, the read waits for the GPU. Each tensor is read once.
 *
 * @throws {@link LabelRangeError} that names the first value out of range and where it stands.
 */
export function checkLabelRange(labels: tf.Tensor, classes: number, ignoreIndex: number): void {
  const range = `${classes} ${ignoreIndex}`;
  if (checked.get(labels) === range) return;
  const values = labels.dataSync();
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if ((value < 0 || value >= classes) && value !== ignoreIndex) {
      throw new LabelRangeError({
        what: `label ${value} is not a class`,
        expected: `0 to ${classes - 1}, or ${ignoreIndex} for a pixel to ignore`,
        received: `${value} at [${indexOf(i, labels.shape)}] of labels [${labels.shape}]`,
        fix: 'map the labels of the data to class indices, give the head more classes, or set ignoreIndex',
      });
    }
  }
  checked.set(labels, range);
}

/** The index along each axis of the flat index `i`. */
function indexOf(i: number, shape: number[]): number[] {
  return shape.map((size, axis) => {
    const stride = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    return Math.floor(i / stride) % size;
  });
}
