import { decodeRle, polygonsToRle } from '@e3va/metrics';
import type { Rgb } from '../color-map.ts';
import type { Box, Segmentation } from '../detection/sample.ts';
import { loadSharp } from '../node.ts';
import { paletteColors } from '../palette.ts';
import type { RgbImage } from '../sample.ts';

/** Something with a box and a class: a detection, or an object of a data set. */
export interface Labelled {
  /** `[x1, y1, x2, y2]` in pixels of the image. */
  box: Box;
  /** Index of its class. */
  label: number;
  /** From 0 to 1; shown beside the class where there is one. */
  score?: number;
  /** Its mask, of the image's size. */
  mask?: Segmentation;
  /** The same under the name that data sets use. */
  segmentation?: Segmentation;
}

/** How {@link drawDetections} draws. */
export interface DrawOptions {
  /** Name of each class. */
  classes: readonly string[];
  /** Colour of each class. Default: {@link paletteColors}. */
  colors?: readonly Rgb[];
}

/**
 * An image with objects drawn on it: masks in the translucent colour of their class, boxes, names and scores (Node only).
 *
 * @throws RleError if a mask is damaged.
 *
 * @example
 * ```ts
 * import { drawDetections, writePng } from '@e3va/datasets';
 *
 * const image = { width: 64, height: 48, data: new Uint8Array(64 * 48 * 3) };
 * const found = [{ box: [8, 8, 40, 40], label: 0, score: 0.9 } as const];
 * const drawn = await drawDetections(image, found.map((d) => ({ ...d, box: [...d.box] })), { classes: ['cat'] });
 * await writePng('drawn.png', drawn);
 * ```
 */
export async function drawDetections(
  image: RgbImage,
  detections: readonly Labelled[],
  { classes, colors = paletteColors(classes.length) }: DrawOptions,
): Promise<RgbImage> {
  const data = Uint8Array.from(image.data);
  for (const { label, mask, segmentation } of detections) {
    const outline = mask ?? segmentation;
    if (outline) blend(data, image, outline, colorOf(colors, label));
  }
  const sharp = await loadSharp();
  const raw = { width: image.width, height: image.height, channels: 3 as const };
  const overlay = Buffer.from(boxesSvg(image, detections, classes, colors));
  const drawn = await sharp(data, { raw, limitInputPixels: false })
    .composite([{ input: overlay, left: 0, top: 0 }])
    .removeAlpha()
    .raw()
    .toBuffer();
  return { width: image.width, height: image.height, data: new Uint8Array(drawn) };
}

function blend(data: Uint8Array, { height, width }: RgbImage, outline: Segmentation, color: Rgb): void {
  const inside = decodeRle(Array.isArray(outline) ? polygonsToRle(outline, [height, width]) : outline);
  for (let i = 0; i < inside.length; i++) {
    if (!inside[i]) continue;
    for (let c = 0; c < 3; c++) data[3 * i + c] = (data[3 * i + c]! + color[c]!) >> 1;
  }
}

function boxesSvg(
  { width, height }: RgbImage,
  detections: readonly Labelled[],
  classes: readonly string[],
  colors: readonly Rgb[],
): string {
  const line = Math.max(1, Math.round(Math.min(width, height) / 200));
  const font = Math.min(28, Math.max(9, Math.round(Math.min(width, height) / 28)));
  const shapes = detections.map(({ box: [x1, y1, x2, y2], label, score }) => {
    const color = colorOf(colors, label);
    const text =
      escapeXml(shorten(classes[label] ?? `class ${label}`)) +
      (score === undefined ? '' : ` ${score.toFixed(2)}`);
    const top = y1 >= font + 2 ? y1 - font - 2 : y1;
    const ink = color[0] * 0.3 + color[1] * 0.59 + color[2] * 0.11 > 140 ? '#000' : '#fff';
    const fill = `rgb(${color.join(',')})`;
    return (
      `<rect x="${x1}" y="${y1}" width="${x2 - x1}" height="${y2 - y1}" fill="none" stroke="${fill}" stroke-width="${line}"/>` +
      `<rect x="${x1}" y="${top}" width="${text.length * font * 0.58 + 4}" height="${font + 2}" fill="${fill}"/>` +
      `<text x="${x1 + 2}" y="${top + font - 1}" font-family="DejaVu Sans Mono, monospace" font-size="${font * 0.95}" fill="${ink}">${text}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes.join('')}</svg>`;
}

const colorOf = (colors: readonly Rgb[], label: number): Rgb => colors[label] ?? [255, 255, 255];

const shorten = (name: string) => (name.length > 24 ? `${name.slice(0, 23)}…` : name);

/** Text of an SVG: nothing in it begins an element, and characters that XML forbids are gone. */
function escapeXml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[^\t\n\r -\uD7FF\uE000-\uFFFD]/g, '?').replace(/[&<>"]/g, (c) => entities[c]!);
}
