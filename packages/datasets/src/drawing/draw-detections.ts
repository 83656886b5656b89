import { decodeRle, polygonsToRle } from '@e3va/metrics';
import type { Rgb } from '../color-map.ts';
import type { Box, Segmentation } from '../detection/sample.ts';
import { OptionError } from '../errors.ts';
import { paletteColors } from '../palette.ts';
import type { RgbImage } from '../sample.ts';
import { type Area, blendMask, drawFrame } from './canvas.ts';
import { drawLabels, type Label } from './labels.ts';

/** Something with a box and a class: a detection, or an object of a data set. */
export interface Labelled {
  /** `[x1, y1, x2, y2]` in pixels of the image. */
  box: Readonly<Box>;
  /** Index of its class. */
  label: number;
  /** From 0 to 1; shown beside the class where there is one. */
  score?: number;
  /** Its mask, of the image's size. */
  mask?: Segmentation;
  /** The same under the name that data sets use. */
  segmentation?: Segmentation;
  /** Whether it stands for a group: its frame is dashed. */
  crowd?: boolean;
  /** Whether it is hard to see: its frame is dashed. */
  difficult?: boolean;
}

/** How {@link drawDetections} draws. */
export interface DrawOptions {
  /** Name of each class. */
  classes: readonly string[];
  /** Colour of each class. Default: {@link paletteColors}. */
  colors?: readonly Rgb[];
  /** Weight of the colour of masks, 0..1. Default: 0.4. */
  alpha?: number;
  /**
   * Which names are written: `all`, or only those that cover no other name (`apart`), in the order of falling score or size.
   * Default: `all`.
   */
  labels?: 'all' | 'apart' | 'none';
}

/**
 * An image with objects drawn on it: masks in the translucent colour of their class with a solid rim, frames, names and scores. Lines
 * and letters grow with the image. The best are on top; where no score says what is best, the small ones.
 *
 * It works anywhere; for names with letters that are not Latin the fonts of the system are used, by sharp (Node only).
 *
 * @throws RleError if a mask is damaged.
 * @throws OptionError if a mask is not of the size of the image.
 *
 * @example
 * ```ts
 * import { drawDetections, writePng } from '@e3va/datasets';
 *
 * const image = { width: 64, height: 48, data: new Uint8Array(64 * 48 * 3) };
 * const found = [{ box: [8, 12, 40, 40] as const, label: 0, score: 0.9 }];
 * await writePng('drawn.png', await drawDetections(image, found, { classes: ['cat'] }));
 * ```
 */
export async function drawDetections(
  image: RgbImage,
  detections: readonly Labelled[],
  { classes, colors = paletteColors(classes.length), alpha = 0.4, labels = 'all' }: DrawOptions,
): Promise<RgbImage> {
  const drawn: RgbImage = { ...image, data: Uint8Array.from(image.data) };
  const scale = Math.max(1, Math.round(Math.max(image.width, image.height) / 500));
  const colorOf = ({ label }: Labelled): Rgb => colors[label] ?? [255, 255, 255];
  const lastOnTop = [...detections].sort(
    (a, b) => (a.score ?? 0) - (b.score ?? 0) || areaOf(b.box) - areaOf(a.box),
  );
  for (const object of lastOnTop) {
    const outline = object.mask ?? object.segmentation;
    if (outline) blendMask(drawn, pixelsOf(outline, image), colorOf(object), alpha);
  }
  for (const object of lastOnTop) {
    const dash = object.crowd || object.difficult ? 4 * scale : 0;
    drawFrame(drawn, pixelArea(object.box, image), colorOf(object), scale, dash);
  }
  if (labels !== 'none') {
    const written = lastOnTop.reverse().map(
      (object): Label => ({
        text: textOf(object, classes),
        at: pixelArea(object.box, image),
        color: colorOf(object),
      }),
    );
    await drawLabels(drawn, written, scale, labels === 'apart');
  }
  return drawn;
}

const areaOf = ([x1, y1, x2, y2]: Readonly<Box>): number => (x2 - x1) * (y2 - y1);

/** The pixels of a box in its image, at least one. */
function pixelArea([x1, y1, x2, y2]: Readonly<Box>, { width, height }: RgbImage): Area {
  const within = (v: number, low: number, high: number) => Math.min(Math.max(Math.round(v), low), high);
  const [left, top] = [within(x1, 0, width - 1), within(y1, 0, height - 1)];
  return [left, top, within(x2, left + 1, width), within(y2, top + 1, height)];
}

function pixelsOf(outline: Segmentation, { width, height }: RgbImage): Uint8Array {
  const rle = Array.isArray(outline) ? polygonsToRle(outline, [height, width]) : outline;
  if (rle.size[0] === height && rle.size[1] === width) return decodeRle(rle);
  throw new OptionError({
    what: 'a mask to draw is not of the size of its image',
    expected: `${width}x${height}`,
    received: `${rle.size[1]}x${rle.size[0]}`,
  });
}

/** The name of the class, shortened, and the score. */
function textOf({ label, score }: Labelled, classes: readonly string[]): string {
  const name = shortened(classes[label] ?? `class ${label}`, 24);
  return score === undefined ? name : `${name} ${score.toFixed(2)}`;
}

/** A text of at most `length` characters, whose end three dots may stand for. */
export function shortened(text: string, length: number): string {
  const characters = [...text];
  return characters.length > length ? `${characters.slice(0, length - 3).join('')}...` : text;
}
