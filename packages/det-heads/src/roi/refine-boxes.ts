import { type BoxCoding, decodeBoxes } from '../box-coding.ts';
import type { ImageSize } from '../detection.ts';

/**
 * The regions of the next stage of a cascade: one box a region, clipped to its image.
 *
 * With a box a class, that of the label is taken, or where there is none (background, inference) that of the class of the
 * highest logit.
 *
 * Equal to mmdetection's `refine_bboxes` and `regress_by_class`.
 *
 * @param boxes The regions of one image, `x1 y1 x2 y2`, four numbers each.
 * @param logits Shape [regions, classes + 1], the last one for background.
 * @param deltas Shape [regions, 4], or [regions, 4 · classes].
 * @param labels A class for each region, or the number of classes; none in inference.
 */
export function refinedBoxes(
  boxes: Float32Array,
  logits: Float32Array,
  deltas: Float32Array,
  { classes, coding, size }: { classes: number; coding: BoxCoding; size: ImageSize },
  labels?: Int32Array,
): Float32Array {
  if (deltas.length === boxes.length) return decodeBoxes(deltas, boxes, coding, size);
  const own = new Float32Array(boxes.length);
  for (let i = 0; i < boxes.length / 4; i++) {
    const label = labels?.[i] ?? classes;
    const row = logits.subarray(i * (classes + 1), i * (classes + 1) + classes);
    const from = 4 * (i * classes + (label < classes ? label : highest(row)));
    own.set(deltas.subarray(from, from + 4), 4 * i);
  }
  return decodeBoxes(own, boxes, coding, size);
}

function highest(row: Float32Array): number {
  let best = 0;
  for (let k = 1; k < row.length; k++) if (row[k]! > row[best]!) best = k;
  return best;
}
