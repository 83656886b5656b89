import { decodeRle, polygonsToRle, type Rle, rleArea } from '@e3va/metrics';
import type { Box, DetectionObject, Segmentation } from './sample.ts';

/** What is to be found in one image of a batch, in plain arrays: the form that `@e3va/det-heads` takes. */
export type DetectionTargets = {
  /** Boxes `x1 y1 x2 y2` in pixels of the batch's images, four numbers each. */
  boxes: Float32Array;
  /** Class of each box, from 0. */
  labels: Int32Array;
  /** 1 where a box marks what is neither to be found nor punished: a crowd, or a difficult object. */
  crowd: Uint8Array;
  /** Masks of the boxes in their order, [objects, height, width] row by row, 1 inside; a box without an outline, or with one smaller than a pixel, is its own mask. */
  masks?: { height: number; width: number; data: Uint8Array };
};

/**
 * The objects of an image as targets.
 *
 * @param maskSize Height and width of the masks, those of the batch's images; no masks if left out.
 */
export function targetsOf(
  objects: readonly DetectionObject[],
  maskSize?: readonly [height: number, width: number],
): DetectionTargets {
  return {
    boxes: Float32Array.from(objects.flatMap(({ box }) => box)),
    labels: Int32Array.from(objects, ({ label }) => label),
    crowd: Uint8Array.from(objects, ({ crowd, difficult }) => (crowd || difficult ? 1 : 0)),
    ...(maskSize && { masks: masksOf(objects, maskSize) }),
  };
}

function masksOf(
  objects: readonly DetectionObject[],
  [height, width]: readonly [number, number],
): NonNullable<DetectionTargets['masks']> {
  const data = new Uint8Array(objects.length * height * width);
  objects.forEach(({ box, segmentation }, i) => {
    const mask = data.subarray(i * height * width, (i + 1) * height * width);
    const outline = segmentation && rleOf(segmentation, [height, width]);
    paste(outline && rleArea(outline) > 0 ? outline : rleOf([cornersOf(box)], [height, width]), mask, width);
  });
  return { height, width, data };
}

const cornersOf = ([x1, y1, x2, y2]: Box) => [x1, y1, x2, y1, x2, y2, x1, y2];

function rleOf(outline: Segmentation, size: readonly [height: number, width: number]): Rle {
  return Array.isArray(outline) ? polygonsToRle(outline, size) : outline;
}

/** Writes a mask into one that may be wider and higher: padding lies to the right and at the bottom. */
function paste(mask: Rle, out: Uint8Array, width: number): void {
  const [rows, columns] = mask.size;
  const inside = decodeRle(mask);
  for (let y = 0; y < rows; y++) out.set(inside.subarray(y * columns, (y + 1) * columns), y * width);
}
