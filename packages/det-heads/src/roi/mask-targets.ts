import type { InstanceMasks } from '../detection.ts';
import { axisBins } from './axis-bins.ts';

/** What {@link maskTargets} cuts out, and how. */
export interface MaskTargetOptions {
  /** Side of the targets; 28 by default. */
  size?: number;
  /**
   * `'mmdet'` (default): 1 where at least half of the bin is inside, else 0. `'torchvision'`: the share that is inside, by
   * its older alignment.
   */
  definition?: 'mmdet' | 'torchvision';
}

/**
 * The target of each box for a mask head: its object's mask, cropped to the box and resized by RoIAlign with adaptive
 * sampling. In plain numbers, the same on every backend.
 *
 * Equal to mmdetection's `BitmapMasks.crop_and_resize` or to torchvision's `project_masks_on_boxes`.
 *
 * @param boxes Boxes `x1 y1 x2 y2` in pixels of the masks, four numbers each.
 * @param objects Index of each box's object within `masks`.
 * @returns Shape [boxes, size, size], row by row.
 */
export function maskTargets(
  masks: InstanceMasks,
  boxes: Float32Array,
  objects: ArrayLike<number>,
  { size = 28, definition = 'mmdet' }: MaskTargetOptions = {},
): Float32Array {
  const targets = new Float32Array(objects.length * size * size);
  for (let k = 0; k < objects.length; k++) {
    const area = masks.height * masks.width;
    const mask = masks.data.subarray(objects[k]! * area, (objects[k]! + 1) * area);
    const target = targets.subarray(k * size * size, (k + 1) * size * size);
    cropInto(
      target,
      { ...masks, data: mask },
      boxes.subarray(4 * k, 4 * k + 4),
      size,
      definition === 'mmdet',
    );
    // the margin absorbs what the sums of weights are short of one half
    if (definition === 'mmdet') for (const [i, v] of target.entries()) target[i] = v >= 0.5 - 1e-7 ? 1 : 0;
  }
  return targets;
}

function cropInto(
  target: Float32Array,
  { height, width, data }: InstanceMasks,
  [x1, y1, x2, y2]: Float32Array,
  size: number,
  aligned: boolean,
): void {
  const axis = (from: number, to: number, length: number) =>
    axisBins(from, to, { bins: size, length, samplingRatio: 0, aligned });
  const [rows, columns] = [axis(y1!, y2!, height), axis(x1!, x2!, width)];
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      let sum = 0;
      for (let r = rows.starts[i]!; r < rows.starts[i + 1]!; r++) {
        const line = rows.pixels[r]! * width;
        let along = 0;
        for (let c = columns.starts[j]!; c < columns.starts[j + 1]!; c++) {
          if (data[line + columns.pixels[c]!]) along += columns.weights[c]!;
        }
        sum += rows.weights[r]! * along;
      }
      target[i * size + j] = sum;
    }
  }
}
