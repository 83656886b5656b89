import { encodeRle, type Rle } from '@e3va/metrics';
import type { ImageSize } from '../detection.ts';

/** How {@link pasteMasks} places a mask. */
export interface PasteOptions {
  /** Probability from which on a pixel is inside; 0.5 by default. */
  threshold?: number;
  /**
   * `'mmdet'` (default): every pixel samples the mask at its own centre. `'torchvision'`: the box is rounded to whole
   * pixels first and the mask resized to it.
   */
  definition?: 'mmdet' | 'torchvision';
}

/**
 * Puts mask probabilities, predicted on a grid over each box, into the image: interpolated, thresholded, and encoded.
 *
 * Equal to mmdetection's `_do_paste_mask` or to torchvision's `paste_masks_in_image` with a threshold.
 *
 * @param probabilities Shape [boxes, side, side], row by row.
 * @param boxes Boxes `x1 y1 x2 y2` in pixels of the image, four numbers each.
 * @returns One mask of the image's size a box.
 */
export function pasteMasks(
  probabilities: Float32Array,
  boxes: Float32Array,
  { height, width }: ImageSize,
  { threshold = 0.5, definition = 'mmdet' }: PasteOptions = {},
): Rle[] {
  const count = boxes.length / 4;
  const side = Math.round(Math.sqrt(probabilities.length / Math.max(1, count)));
  return Array.from({ length: count }, (_, k) => {
    const mask = probabilities.subarray(k * side * side, (k + 1) * side * side);
    const [x1, y1, x2, y2] = boxes.subarray(4 * k, 4 * k + 4) as unknown as [number, number, number, number];
    const [rows, columns] = [
      axisSamples(y1, y2, side, height, definition),
      axisSamples(x1, x2, side, width, definition),
    ];
    const image = new Uint8Array(height * width);
    for (let i = 0; i < rows.at.length; i++) {
      const line = (rows.first + i) * width + columns.first;
      for (let j = 0; j < columns.at.length; j++) {
        image[line + j] = sampled(mask, side, rows.at[i]!, columns.at[j]!) >= threshold ? 1 : 0;
      }
    }
    return encodeRle(image, [height, width]);
  });
}

/** The image's pixels from `first` on that the mask reaches, and where in it each samples: a number of −1 to `side`. */
interface AxisSamples {
  first: number;
  at: Float64Array;
}

/** A border of zeros around the mask: the interval grows by one of `side` steps at each end. */
function axisSamples(
  from: number,
  to: number,
  side: number,
  length: number,
  definition: 'mmdet' | 'torchvision',
): AxisSamples {
  let [start, end] = [from - (to - from) / side, to + (to - from) / side];
  if (definition === 'torchvision') {
    start = Math.trunc(start);
    end = start + Math.max(1, Math.trunc(end) - start + 1);
  }
  const first = Math.min(length, Math.max(0, Math.floor(start)));
  const last = Math.max(first, Math.min(length, Math.ceil(end)));
  const at = Float64Array.from({ length: last - first }, (_, i) => {
    const inner = ((first + i + 0.5 - start) / (end - start)) * (side + 2) - 1.5;
    return Math.min(side, Math.max(-1, inner));
  });
  return { first, at };
}

/** The mask between its pixels; beyond its edge it is 0. */
function sampled(mask: Float32Array, side: number, y: number, x: number): number {
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const value = (i: number, j: number) =>
    i >= 0 && i < side && j >= 0 && j < side ? mask[i * side + j]! : 0;
  const along = (i: number) => value(i, left) * (1 - (x - left)) + value(i, left + 1) * (x - left);
  return along(top) * (1 - (y - top)) + along(top + 1) * (y - top);
}
