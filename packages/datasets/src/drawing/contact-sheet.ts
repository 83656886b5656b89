import { assertCount } from '../batch-plan.ts';
import type { DetectionSample, DetectionSplit } from '../detection/sample.ts';
import { withImage } from '../detection/transforms/resize.ts';
import type { RgbImage } from '../sample.ts';
import { pasteImage } from '../transforms/paste.ts';
import { scaledSize } from '../transforms/resize.ts';
import { blendPicture } from './canvas.ts';
import { type DrawOptions, drawDetections, shortened } from './draw-detections.ts';
import { shrinkImage } from './shrink.ts';
import { type TextPicture, textHeight, textPicture } from './text.ts';

/** How {@link contactSheet} is laid out. */
export interface ContactSheetOptions extends DrawOptions {
  /** Most images on it, evenly spread over the split. Default: 12. */
  count?: number;
  /** Images in a row. Default: 4. */
  columns?: number;
  /** Side of the square that each image fits into, in pixels. Default: 320. */
  side?: number;
}

/** Pixels between images, and the height of what is written below each. */
const [gap, caption] = [6, textHeight(1) + 6];

/**
 * Images of a split with their objects drawn on them, side by side in one picture, each with its name and number of objects below.
 * Larger images are shrunk. By default names of classes that would cover one another are left out, and all of them where there is
 * one class only.
 *
 * @throws OptionError if a number of the layout is below 1.
 * @throws what loading a sample throws.
 *
 * @example
 * ```ts
 * import { contactSheet, type DetectionSplit, writePng } from '@e3va/datasets';
 *
 * const image = { width: 60, height: 40, data: new Uint8Array(7200) };
 * const objects = [{ box: [10, 20, 30, 35], label: 0, crowd: false, difficult: false }] as never;
 * const split: DetectionSplit = {
 *   length: 1,
 *   names: ['a'],
 *   info: () => ({ name: 'a', file: 'a.png', width: 60, height: 40, imageId: 1, objects }),
 *   load: async () => ({ name: 'a', image, objects }),
 * };
 * await writePng('sheet.png', await contactSheet(split, { classes: ['cat'] }));
 * ```
 */
export async function contactSheet(
  split: DetectionSplit,
  { count = 12, columns = 4, side = 320, ...draw }: ContactSheetOptions,
): Promise<RgbImage> {
  for (const [name, value] of Object.entries({ count, columns, side })) assertCount(name, value, 1);
  const options = { labels: draw.classes.length > 1 ? ('apart' as const) : ('none' as const), ...draw };
  const shown = Math.min(count, split.length);
  const tiles: Tile[] = [];
  for (let i = 0; i < shown; i++) {
    const sample = await split.load(Math.floor((i * split.length) / shown));
    const image = await drawDetections(...thumbnail(sample, side), options);
    tiles.push({ image, text: await textPicture(captionOf(sample, side), 1) });
  }
  return sheetOf(tiles, Math.max(1, Math.min(columns, shown)), side);
}

/** An image and what is written below it. */
interface Tile {
  image: RgbImage;
  text: TextPicture;
}

/** Tiles in rows, each row as high as its highest image. */
function sheetOf(tiles: readonly Tile[], columns: number, side: number): RgbImage {
  const rows = Array.from({ length: Math.ceil(tiles.length / columns) }, (_, row) => {
    const inRow = tiles.slice(row * columns, (row + 1) * columns);
    return { inRow, height: Math.max(...inRow.map(({ image }) => image.height)) + caption };
  });
  const width = columns * (side + gap) + gap;
  const height = rows.reduce((sum, row) => sum + row.height + gap, gap);
  const sheet: RgbImage = { width, height, data: new Uint8Array(width * height * 3).fill(245) };
  let top = gap;
  for (const row of rows) {
    row.inRow.forEach(({ image, text }, column) => {
      const left = gap + column * (side + gap);
      pasteImage(image, sheet, left, top);
      blendPicture(sheet, text, [left, top + image.height + 4], [40, 40, 40]);
    });
    top += row.height + gap;
  }
  return sheet;
}

/** A sample that fits into a square: its image and objects. */
function thumbnail(sample: DetectionSample, side: number): [RgbImage, DetectionSample['objects']] {
  const { width, height } = sample.image;
  const scale = Math.min(1, side / Math.max(width, height));
  const { image, objects } = withImage(
    sample,
    shrinkImage(sample.image, scaledSize({ width, height }, scale)),
    0,
  );
  return [image, objects];
}

/** What is written below an image, as long as its place allows for; letters are five pixels wide, or a bit less. */
function captionOf({ name, objects }: DetectionSample, side: number): string {
  const number = ` (${objects.length})`;
  return shortened(name, Math.max(4, Math.floor(side / 6) - number.length)) + number;
}
