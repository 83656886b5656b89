import type { Detection } from './detection.ts';

/**
 * Plain objects of arrays.
 *
 * @param boxes Boxes `x1 y1 x2 y2`, four numbers each.
 * @param scores One a box.
 * @param labels One a box.
 */
export function toDetections(
  boxes: Float32Array,
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
): Detection[] {
  return Array.from(scores, (score, i) => {
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4) as unknown as Detection['box'];
    return { box: [x1, y1, x2, y2], score, label: labels[i]! };
  });
}
