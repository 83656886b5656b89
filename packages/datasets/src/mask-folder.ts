import { assertSameSize, checkSizes } from './check-sizes.ts';
import { type ClassOptions, decideClasses } from './decide-classes.ts';
import { OptionError, UnknownSplitError } from './errors.ts';
import { findLayout, type LayoutName, type SplitName } from './layouts.ts';
import type { MaskCoding } from './mask-coding.ts';
import { type MaskPair, pairFiles } from './pairing.ts';
import { type ImageOptions, readImage } from './read-image.ts';
import { readMask } from './read-mask.ts';
import type { SegmentationSplit } from './sample.ts';
import { splitByName } from './split-by-name.ts';

/** How {@link openMaskFolder} reads a folder. Everything has a default. */
export interface MaskFolderOptions extends ImageOptions, ClassOptions {
  /** What the names of masks have after the name of their image, such as `_mask`. Default: nothing. */
  maskSuffix?: string;
  /** Share of the training images that become the validation split where the folder has none. Default: 0.2. */
  valFraction?: number;
  /** Seed of that choice. Default: 0. */
  seed?: number;
  /** Whether to check the headers of all files at once (default) or only the names. */
  check?: 'headers' | 'names';
}

/** A data set of images and masks in a folder. {@link openMaskFolder} makes it. */
export interface MaskFolder {
  /** The folder. */
  readonly directory: string;
  /** How it is arranged. */
  readonly layout: LayoutName;
  /** Name of each class, by label. */
  readonly classes: readonly string[];
  /** The label of pixels that are ignored, whatever value the files use: 255, or 65535 for more than 255 classes. */
  readonly ignoreIndex: number;
  /** The splits there are. */
  readonly splits: readonly SplitName[];
  /** What was decided without being asked, in one sentence each, for the log. */
  readonly notes: readonly string[];
  /**
   * One split.
   *
   * @throws UnknownSplitError if there is none of that name.
   */
  split(name: SplitName): SegmentationSplit;
}

/**
 * Opens a folder of images and class masks for semantic segmentation (Node only).
 *
 * Three layouts are recognised: CamVid/SegNet (`train/`, `trainannot/`, `val/` …), ADE20K (`images/training`,
 * `annotations/training` …) and `images/` + `masks/`, with or without `train/` and `val/` inside. Image and mask have the
 * same name; the extension does not matter. Without a validation split one is split off by a hash of the names.
 *
 * Masks are PNG: grey of 1 to 16 bits or palette (the stored number is the class, whatever the colours are), or colours with
 * a `colorMap`. Class names come from `classes`, else from `classes.json`, `classes.txt`, `class_names.txt`, `labels.txt` or
 * `objectInfo150.txt` in the folder, else all masks are scanned for their largest value.
 *
 * Names and headers of all files and the first masks are checked here; the values of a mask when its sample is loaded.
 *
 * @throws FolderNotFoundError, UnknownLayoutError, EmptyDatasetError, MissingMaskError, DuplicateNameError,
 * ClassNamesError, MaskSizeError, MaskFormatError, ImageDecodeError, ImageTooLargeError
 *
 * @example
 * ```ts
 * import { mkdir } from 'node:fs/promises';
 * import { openMaskFolder, writeMask, writePng } from '@e3va/datasets';
 *
 * await mkdir('tiny/images', { recursive: true });
 * await mkdir('tiny/masks', { recursive: true });
 * for (const name of ['a', 'b']) {
 *   await writePng(`tiny/images/${name}.png`, { width: 2, height: 1, data: new Uint8Array(6) });
 *   await writeMask(`tiny/masks/${name}.png`, { width: 2, height: 1, data: Int32Array.of(0, 1) });
 * }
 * const folder = await openMaskFolder('tiny', { classes: ['sky', 'road'] });
 * const { image, mask } = await folder.split('train').load(0);
 * console.log(folder.splits, image.width, mask.data); // ['train', 'val'] 2 Int32Array [0, 1]
 * ```
 */
export async function openMaskFolder(
  directory: string,
  options: MaskFolderOptions = {},
): Promise<MaskFolder> {
  const layout = await findLayout(directory);
  const notes: string[] = [];
  const pairs = await pairSplits(directory, layout.splits, options, notes);
  const all = Object.values(pairs).flat();
  if ((options.check ?? 'headers') === 'headers') await checkSizes(all, options);
  const { classes, coding } = await decideClasses(directory, layout.name, all, options, notes);
  const splits = Object.keys(pairs) as SplitName[];
  return {
    directory,
    layout: layout.name,
    classes,
    ignoreIndex: coding.ignoreIndex,
    splits,
    notes,
    split(name) {
      const found = pairs[name];
      if (found) return splitOf(found, coding, options);
      throw new UnknownSplitError({
        what: `${directory} has no split '${name}'`,
        expected: splits.map((s) => `'${s}'`).join(' or '),
        received: `'${name}'`,
      });
    },
  };
}

type Pairs = Partial<Record<SplitName, MaskPair[]>>;

async function pairSplits(
  directory: string,
  folders: Awaited<ReturnType<typeof findLayout>>['splits'],
  options: MaskFolderOptions,
  notes: string[],
): Promise<Pairs> {
  const pairs: Pairs = {};
  for (const name of ['train', 'val', 'test'] as const) {
    const found = folders[name];
    if (!found) continue;
    const { pairs: matched, strayMasks } = await pairFiles(directory, found, options.maskSuffix);
    pairs[name] = matched;
    if (strayMasks.length > 0) {
      notes.push(`Masks without an image in ${found.masks}: ${strayMasks.length}, such as ${strayMasks[0]}.`);
    }
  }
  if (pairs.val) return pairs;
  const { train, val } = splitByName(pairs.train!, options.valFraction ?? 0.2, options.seed ?? 0);
  notes.push(
    `There is no validation split: ${val.length} of ${pairs.train!.length} images were set apart for it.`,
  );
  return { train, val, ...(pairs.test && { test: pairs.test }) };
}

function splitOf(pairs: MaskPair[], coding: MaskCoding, options: MaskFolderOptions): SegmentationSplit {
  return {
    length: pairs.length,
    names: pairs.map(({ name }) => name),
    async load(index) {
      const pair = pairs[index];
      if (!pair)
        throw new OptionError({ what: `there is no sample ${index}`, expected: `0 to ${pairs.length - 1}` });
      const { name, image: imageFile, mask: maskFile } = pair;
      const [image, mask] = await Promise.all([
        readImage(imageFile, options),
        readMask(maskFile, coding, options.maxPixels),
      ]);
      assertSameSize(image, mask, imageFile, maskFile, options);
      return { name, image, mask };
    },
  };
}
