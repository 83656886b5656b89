import type { Transform } from '../sample.ts';
import { assertSize, type Size } from './options.ts';

/** How {@link pad} fills a sample up. */
export interface PadOptions {
  /** Height and width to reach. A larger sample stays as it is. */
  size: Size;
  /** Colour of the new pixels. Default: the ImageNet mean [124, 116, 104], which normalises to about zero. */
  color?: readonly [number, number, number];
  /** Label of the new pixels. Default: 255, ignored. */
  ignoreIndex?: number;
}

/**
 * Adds pixels to the right and the bottom until image and mask have at least the given size.
 *
 * @throws OptionError if the size is not positive.
 */
export function pad({ size, color = [124, 116, 104], ignoreIndex = 255 }: PadOptions): Transform {
  assertSize(size, 'the size to pad to');
  return (sample) => {
    const { name, image, mask } = sample;
    const [height, width] = [Math.max(size[0], image.height), Math.max(size[1], image.width)];
    if (height === image.height && width === image.width) return sample;
    const pixels = new Uint8Array(height * width * 3);
    for (let i = 0; i < pixels.length; i++) pixels[i] = color[i % 3]!;
    const labels = new Int32Array(height * width).fill(ignoreIndex);
    for (let y = 0; y < image.height; y++) {
      const row = y * image.width;
      pixels.set(image.data.subarray(row * 3, (row + image.width) * 3), y * width * 3);
      labels.set(mask.data.subarray(row, row + image.width), y * width);
    }
    return { name, image: { width, height, data: pixels }, mask: { width, height, data: labels } };
  };
}
