import type { Rgb } from '../color-map.ts';
import type { RgbImage } from '../sample.ts';

/** Pixels from `x1`, `y1` up to and without `x2`, `y2`; what lies outside of the image is not drawn. */
export type Area = readonly [x1: number, y1: number, x2: number, y2: number];

/** Fills an area, in place. */
export function fillArea(image: RgbImage, [x1, y1, x2, y2]: Area, color: Rgb): void {
  const [right, bottom] = [Math.min(x2, image.width), Math.min(y2, image.height)];
  for (let y = Math.max(0, y1); y < bottom; y++) {
    for (let x = Math.max(0, x1); x < right; x++) setPixel(image, x, y, color);
  }
}

/**
 * Draws the outline of an area inside of it, in place.
 *
 * @param dash Length of dashes and of the gaps between them; 0 for none.
 */
export function drawFrame(image: RgbImage, area: Area, color: Rgb, line: number, dash = 0): void {
  const [x1, y1, x2, y2] = area;
  const [across, down] = [Math.min(line, x2 - x1), Math.min(line, y2 - y1)];
  for (const [start, end] of dashes(x1, x2, dash)) {
    fillArea(image, [start, y1, end, y1 + down], color);
    fillArea(image, [start, y2 - down, end, y2], color);
  }
  for (const [start, end] of dashes(y1, y2, dash)) {
    fillArea(image, [x1, start, x1 + across, end], color);
    fillArea(image, [x2 - across, start, x2, end], color);
  }
}

function dashes(start: number, end: number, length: number): [start: number, end: number][] {
  if (length <= 0) return [[start, end]];
  const count = Math.ceil((end - start) / (2 * length));
  return Array.from({ length: count }, (_, i) => {
    const from = start + 2 * length * i;
    return [from, Math.min(from + length, end)];
  });
}

/** Blends a colour over an image, in place: each pixel by its share of 255, from the given corner on. */
export function blendPicture(
  image: RgbImage,
  { width, height, data }: { width: number; height: number; data: Uint8Array },
  [left, top]: readonly [x: number, y: number],
  color: Rgb,
): void {
  for (let y = Math.max(0, -top); y < Math.min(height, image.height - top); y++) {
    for (let x = Math.max(0, -left); x < Math.min(width, image.width - left); x++) {
      const share = data[y * width + x]! / 255;
      if (share > 0) blendPixel(image, (y + top) * image.width + x + left, color, share);
    }
  }
}

/** Blends a colour over the pixels of a mask of the image's size, in place; its rim is drawn in the colour itself. */
export function blendMask(image: RgbImage, mask: Uint8Array, color: Rgb, share: number): void {
  const { width, height } = image;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (mask[at] === 0) continue;
      const inner =
        (x === 0 || mask[at - 1]) &&
        (x === width - 1 || mask[at + 1]) &&
        (y === 0 || mask[at - width]) &&
        (y === height - 1 || mask[at + width]);
      blendPixel(image, at, color, inner ? share : 1);
    }
  }
}

function blendPixel({ data }: RgbImage, at: number, color: Rgb, share: number): void {
  for (let c = 0; c < 3; c++) {
    const before = data[3 * at + c]!;
    data[3 * at + c] = Math.round(before + share * (color[c]! - before));
  }
}

function setPixel({ data, width }: RgbImage, x: number, y: number, color: Rgb): void {
  data.set(color, 3 * (y * width + x));
}
