import { decodeRle, encodeRle, type Rle } from '@e3va/metrics';
import type { Detection, ImageSize } from './detection.ts';
import { DetectionInputError } from './errors.ts';

/**
 * Detections in pixels of the image that was resized for the network, clipped to it; masks take the nearest pixel.
 *
 * @param scale Pixels of the network's input for each pixel of the image.
 * @param size Of the image before it was resized.
 * @throws {@link DetectionInputError} unless the scale is a number above 0.
 *
 * @example
 * ```ts
 * import { rescaleDetections } from '@e3va/det-heads';
 *
 * const found = [{ box: [10, 20, 30, 61] as [number, number, number, number], score: 0.9, label: 0 }];
 * console.log(rescaleDetections(found, 0.5, { height: 120, width: 200 })[0]?.box); // [20, 40, 60, 120]
 * ```
 */
export function rescaleDetections(
  detections: readonly Detection[],
  scale: number,
  size: ImageSize,
): Detection[] {
  if (!(scale > 0 && Number.isFinite(scale))) {
    const what = 'rescaleDetections: there is no way back by this scale';
    throw new DetectionInputError({ what, expected: 'a number above 0', received: `${scale}` });
  }
  const inside = (v: number, limit: number) => Math.min(limit, Math.max(0, v / scale));
  return detections.map(({ box: [x1, y1, x2, y2], mask, ...rest }) => ({
    ...rest,
    box: [inside(x1, size.width), inside(y1, size.height), inside(x2, size.width), inside(y2, size.height)],
    ...(mask && { mask: resizedMask(mask, scale, size) }),
  }));
}

/** Each pixel from the one of the mask that its centre lies in. */
function resizedMask(mask: Rle, scale: number, { height, width }: ImageSize): Rle {
  const pixels = decodeRle(mask);
  const [rows, columns] = mask.size;
  const source = (at: number, length: number) => Math.min(length - 1, Math.floor((at + 0.5) * scale));
  const fromColumn = Int32Array.from({ length: width }, (_, x) => source(x, columns));
  const resized = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) {
    const line = source(y, rows) * columns;
    for (let x = 0; x < width; x++) resized[y * width + x] = pixels[line + fromColumn[x]!]!;
  }
  return encodeRle(resized, [height, width]);
}
