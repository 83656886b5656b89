import type { RgbImage } from '../sample.ts';

/** Writes an image into a larger one, in place, its upper left pixel at `left`, `top`. It must fit. */
export function pasteImage(part: RgbImage, onto: RgbImage, left: number, top: number): void {
  const row = part.width * 3;
  for (let y = 0; y < part.height; y++) {
    onto.data.set(part.data.subarray(y * row, (y + 1) * row), ((top + y) * onto.width + left) * 3);
  }
}
