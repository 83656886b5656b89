import type { Rgb } from './color-map.ts';
import { OptionError } from './errors.ts';
import { paletteColors } from './palette.ts';
import type { LabelMap, RgbImage } from './sample.ts';

/**
 * A label map in colours.
 *
 * @param palette Colour of each class. Default: {@link paletteColors}.
 * @param other Colour of labels beyond the palette, such as ignored pixels. Default: black.
 */
export function colorizeMask(
  mask: LabelMap,
  palette: readonly Rgb[] = paletteColors(classesIn(mask)),
  other: Rgb = [0, 0, 0],
): RgbImage {
  const data = new Uint8Array(mask.data.length * 3);
  for (let i = 0; i < mask.data.length; i++) {
    const color = palette[mask.data[i]!] ?? other;
    for (let c = 0; c < 3; c++) data[3 * i + c] = color[c]!;
  }
  return { width: mask.width, height: mask.height, data };
}

/**
 * The label map in colours, blended over its image. Labels beyond the palette (ignored pixels) show the image alone.
 *
 * @param alpha Weight of the colours, 0..1.
 * @throws OptionError if the two differ in size.
 */
export function overlay(
  image: RgbImage,
  mask: LabelMap,
  alpha = 0.5,
  palette: readonly Rgb[] = paletteColors(classesIn(mask)),
): RgbImage {
  if (image.width !== mask.width || image.height !== mask.height) {
    throw new OptionError({
      what: 'an overlay needs image and label map of the same size',
      expected: `${image.width}x${image.height}`,
      received: `${mask.width}x${mask.height}`,
    });
  }
  const data = Uint8Array.from(image.data);
  for (let i = 0; i < mask.data.length; i++) {
    const color = palette[mask.data[i]!];
    if (!color) continue;
    for (let c = 0; c < 3; c++) {
      const at = 3 * i + c;
      data[at] = Math.round(data[at]! * (1 - alpha) + color[c]! * alpha);
    }
  }
  return { width: image.width, height: image.height, data };
}

/** One more than the largest label below 255, the usual ignore index. */
function classesIn({ data }: LabelMap): number {
  let top = -1;
  for (const label of data) if (label > top && label < 255) top = label;
  return top + 1;
}
