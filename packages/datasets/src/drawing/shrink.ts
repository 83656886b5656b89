import type { RgbImage } from '../sample.ts';
import type { Size } from '../transforms/options.ts';
import { resizeImage } from '../transforms/resample.ts';

/**
 * An image at a smaller size, for looking at: blocks of whole pixels are averaged first, so that fine patterns blur instead of
 * turning into others, and the rest is bilinear.
 */
export function shrinkImage(image: RgbImage, size: Size): RgbImage {
  const block = Math.max(1, Math.floor(Math.min(image.height / size[0], image.width / size[1])));
  return resizeImage(block > 1 ? averageBlocks(image, block) : image, size);
}

/** The mean of each block of pixels; those at the right and at the bottom may be smaller. */
function averageBlocks({ width, height, data }: RgbImage, block: number): RgbImage {
  const [columns, rows] = [Math.ceil(width / block), Math.ceil(height / block)];
  const out = new Uint8Array(columns * rows * 3);
  for (let row = 0; row < rows; row++) {
    const bottom = Math.min(height, (row + 1) * block);
    for (let column = 0; column < columns; column++) {
      const right = Math.min(width, (column + 1) * block);
      const sum: [number, number, number] = [0, 0, 0];
      for (let y = row * block; y < bottom; y++) {
        for (let x = column * block; x < right; x++) {
          for (let c = 0; c < 3; c++) sum[c]! += data[3 * (y * width + x) + c]!;
        }
      }
      const pixels = (bottom - row * block) * (right - column * block);
      for (let c = 0; c < 3; c++) out[3 * (row * columns + column) + c] = Math.round(sum[c]! / pixels);
    }
  }
  return { width: columns, height: rows, data: out };
}
