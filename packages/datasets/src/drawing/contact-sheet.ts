import type { DetectionSplit } from '../detection/sample.ts';
import type { RgbImage } from '../sample.ts';
import { resizeImage } from '../transforms/resample.ts';
import { scaledSize } from '../transforms/resize.ts';
import { type DrawOptions, drawDetections } from './draw-detections.ts';

/** How {@link contactSheet} is laid out. */
export interface ContactSheetOptions extends DrawOptions {
  /** Most images on it, evenly spread over the split. Default: 12. */
  count?: number;
  /** Images in a row. Default: 4. */
  columns?: number;
  /** Side of the square that each image fits into, in pixels. Default: 320. */
  side?: number;
}

/** Pixels between images. */
const gap = 6;

/**
 * Images of a split with their objects drawn on them, side by side in one picture (Node only).
 *
 * @throws what loading a sample throws.
 */
export async function contactSheet(
  split: DetectionSplit,
  { count = 12, columns = 4, side = 320, ...draw }: ContactSheetOptions,
): Promise<RgbImage> {
  const shown = Math.max(1, Math.min(count, split.length));
  const across = Math.min(columns, shown);
  const width = across * (side + gap) + gap;
  const height = Math.ceil(shown / across) * (side + gap) + gap;
  const sheet: RgbImage = { width, height, data: new Uint8Array(width * height * 3).fill(245) };
  for (let i = 0; i < Math.min(shown, split.length); i++) {
    const { image, objects } = await split.load(Math.floor((i * split.length) / shown));
    const drawn = await drawDetections(image, objects, draw);
    const small = resizeImage(
      drawn,
      scaledSize(drawn, Math.min(1, side / Math.max(image.width, image.height))),
    );
    paste(small, sheet, gap + (i % across) * (side + gap), gap + Math.floor(i / across) * (side + gap));
  }
  return sheet;
}

function paste(part: RgbImage, onto: RgbImage, left: number, top: number): void {
  const row = part.width * 3;
  for (let y = 0; y < part.height; y++) {
    onto.data.set(part.data.subarray(y * row, (y + 1) * row), ((top + y) * onto.width + left) * 3);
  }
}
