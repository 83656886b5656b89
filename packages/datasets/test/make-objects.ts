import { decodeRle, polygonsToRle } from '@e3va/metrics';
import { outlineBox } from '../src/detection/outline.ts';
import type {
  Box,
  DetectionInfo,
  DetectionObject,
  DetectionSample,
  DetectionSplit,
} from '../src/detection/sample.ts';
import { rgbImage } from './make-data.ts';

/** An object with a box alone. */
export const boxed = (box: Box, change: Partial<DetectionObject> = {}): DetectionObject => ({
  box,
  label: 0,
  crowd: false,
  difficult: false,
  ...change,
});

/** Corners of a regular polygon in an ellipse; of 4, a rectangle that fills its box. */
export function outlineOf([x1, y1, x2, y2]: Box, corners: number): number[] {
  if (corners === 4) return [x1, y1, x2, y1, x2, y2, x1, y2];
  return Array.from({ length: corners }, (_, i) => {
    const angle = (2 * Math.PI * i) / corners;
    return [(x1 + x2 + (x2 - x1) * Math.cos(angle)) / 2, (y1 + y2 + (y2 - y1) * Math.sin(angle)) / 2];
  }).flat();
}

/** A dark image with one bright shape that is two objects: by its polygon and by its mask. */
export function drawnSample(height: number, width: number, polygon: number[]): DetectionSample {
  const mask = polygonsToRle([polygon], [height, width]);
  const inside = decodeRle(mask);
  const image = rgbImage(height, width, (y, x) => (inside[y * width + x] ? [255, 255, 255] : [0, 0, 0]));
  const objects = [
    boxed(outlineBox([polygon]), { segmentation: [polygon], id: 1 }),
    boxed(outlineBox(mask), { segmentation: mask, id: 2 }),
  ];
  return { name: 'drawn', image, objects };
}

/** The mask of an object in an image of that size. */
export function maskOf(
  { segmentation }: DetectionObject,
  size: { width: number; height: number },
): Uint8Array {
  const outline = segmentation ?? [];
  return decodeRle(Array.isArray(outline) ? polygonsToRle(outline, [size.height, size.width]) : outline);
}

/** The box of the pixels that a condition holds for, or `undefined`. */
export function boundsOf(width: number, pixels: number, isIn: (i: number) => boolean): Box | undefined {
  const box: Box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < pixels; i++) {
    if (!isIn(i)) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x + 1);
    box[3] = Math.max(box[3], y + 1);
  }
  return box[0] < box[2] ? box : undefined;
}

/** The box of the bright pixels of an image. */
export const brightBox = ({ width, height, data }: DetectionSample['image']) =>
  boundsOf(width, width * height, (i) => data[3 * i]! >= 128);

/** A split of samples in memory. */
export function memorySplit(samples: readonly DetectionSample[]): DetectionSplit {
  return {
    length: samples.length,
    names: samples.map(({ name }) => name),
    info(i): DetectionInfo {
      const { name, image, objects } = samples[i]!;
      return { name, file: `${name}.png`, width: image.width, height: image.height, imageId: i, objects };
    },
    load: async (i) => samples[i]!,
  };
}
