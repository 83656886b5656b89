import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '@e3va/adapter-core';
import {
  type LabelMap,
  overlay,
  paletteColors,
  type Rgb,
  readImage,
  writeMask,
  writePng,
} from '@e3va/datasets';
import { findImages, outputNames } from '../inputs.ts';
import { attempt } from '../run/attempt.ts';
import { predictImage } from './evaluate.ts';
import type { Segmenter } from './segmenter.ts';

/** The files that {@link predictFiles} wrote for one image. */
export interface PredictedFiles {
  /** The image. */
  input: string;
  /** The classes in colours: a palette PNG, whose stored numbers are the class indices. */
  mask: string;
  /** The class index of each pixel: 8-bit grey, 16-bit for more than 256 classes. */
  index: string;
  /** The colours laid over the image; undefined if not asked for. */
  overlay?: string;
  /** The classes in the image and the part of its pixels that each has, largest first. */
  shares: ClassShare[];
}

/** How much of an image a class covers. */
export interface ClassShare {
  /** Name of the class. */
  name: string;
  /** Part of the pixels, above 0 and at most 1. */
  share: number;
}

/**
 * Segments images and writes the results as PNG: `NAME.mask.png`, `NAME.index.png` and `NAME.overlay.png`; and `classes.json`, which
 * gives the name and the colour of each index.
 *
 * @param inputs Images, folders or patterns.
 * @param out Folder for the results; it is made if missing.
 * @returns What was written, image by image, as it is written.
 * @throws InputError if there is no image; ImageDecodeError for one that cannot be read; ImageWriteError for a full disk.
 */
export async function* predictFiles(
  segmenter: Segmenter,
  inputs: readonly string[],
  out: string,
  options: { overlay?: boolean } = {},
): AsyncGenerator<PredictedFiles> {
  const files = findImages(inputs);
  attempt(`cannot make the folder ${out}`, () => mkdirSync(out, { recursive: true }));
  const names = outputNames(files);
  const colors = paletteColors(segmenter.classes);
  const { classes } = segmenter.info;
  await writeFileAtomic(join(out, 'classes.json'), classTable(classes, colors));
  for (const [i, input] of files.entries()) {
    const image = await readImage(input);
    const labels: LabelMap = { ...image, data: await predictImage(segmenter, image) };
    const path = (kind: string) => join(out, `${names[i]}.${kind}.png`);
    const shares = classShares(labels.data, classes);
    const written: PredictedFiles = { input, mask: path('mask'), index: path('index'), shares };
    await writeMask(written.mask, labels, colors);
    await writeMask(written.index, labels);
    if (options.overlay ?? true) {
      written.overlay = path('overlay');
      await writePng(written.overlay, overlay(image, labels, 0.5, colors));
    }
    yield written;
  }
}

/** One line a class: index, name and colour. */
function classTable(classes: readonly string[], colors: readonly Rgb[]): string {
  const hex = (color: Rgb) => `#${color.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
  const rows = classes.map((name, index) => JSON.stringify({ index, name, color: hex(colors[index]!) }));
  return `[\n  ${rows.join(',\n  ')}\n]\n`;
}

function classShares(labels: ArrayLike<number>, classes: readonly string[]): ClassShare[] {
  const counts = classes.map(() => 0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]!++;
  return classes
    .map((name, c) => ({ name, share: counts[c]! / labels.length }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
}
