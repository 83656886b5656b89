import { assertSameSize, checkSizes } from './check-sizes.ts';
import { type ClassNames, type ClassTable, classTable, isList, readClassNames } from './class-names.ts';
import { type ColorMap, parseColorMap } from './color-map.ts';
import { OptionError, UnknownSplitError } from './errors.ts';
import { findLayout, type LayoutName, type SplitName } from './layouts.ts';
import { type MaskCoding, pixelValues } from './mask-coding.ts';
import { type MaskPair, pairFiles } from './pairing.ts';
import { type ImageOptions, readImage } from './read-image.ts';
import { readMask, readMaskPng } from './read-mask.ts';
import type { SegmentationSplit } from './sample.ts';
import { scanClasses } from './scan-classes.ts';
import { splitByName } from './split-by-name.ts';

/** How {@link openMaskFolder} reads a folder. Everything has a default. */
export interface MaskFolderOptions extends ImageOptions {
  /** Class names, instead of those of a file in the folder. */
  classes?: ClassNames;
  /** Mask values that mean "not labelled". 255 always does unless it is a class; in the SegNet layout so does the
   * value after the last class, unless this option is given. */
  ignoreIndex?: number | readonly number[];
  /** Whether value 0 is ignored and the classes start at 1, as in ADE20K. Default: true in the ADE20K layout. */
  reduceZeroLabel?: boolean;
  /** Mask value of each colour, for masks that are coded by colour, or by the colours of their palette. */
  colorMap?: ColorMap;
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
 * Names and headers of all files are checked here; values of masks when a sample is loaded.
 *
 * @throws FolderNotFoundError, UnknownLayoutError, EmptyDatasetError, MissingMaskError, DuplicateNameError,
 * ClassNamesError, MaskSizeError, MaskFormatError, ImageDecodeError, ImageTooLargeError
 *
 * @example
 * ```ts
 * import { openMaskFolder } from '@e3va/datasets';
 *
 * const folder = await openMaskFolder('camvid');
 * const train = folder.split('train');
 * const { image, mask } = await train.load(0);
 * console.log(folder.classes, train.length, image.width, mask.data.length);
 * ```
 */
export async function openMaskFolder(
  directory: string,
  options: MaskFolderOptions = {},
): Promise<MaskFolder> {
  const layout = await findLayout(directory);
  const notes: string[] = [];
  const pairs = await pairSplits(directory, layout.splits, options, notes);
  if ((options.check ?? 'headers') === 'headers') await checkSizes(Object.values(pairs).flat(), options);
  const { classes, coding } = await decideClasses(directory, layout.name, pairs, options, notes);
  if ((options.check ?? 'headers') === 'headers')
    notes.push(...(await noteBinaryMasks(pairs.train!, coding, options)));
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

async function decideClasses(
  directory: string,
  layout: LayoutName,
  pairs: Pairs,
  options: MaskFolderOptions,
  notes: string[],
): Promise<{ classes: string[]; coding: MaskCoding }> {
  const colors = options.colorMap && parseColorMap(options.colorMap);
  const fromFile = options.classes ? undefined : await readClassNames(directory);
  const given = options.classes ?? fromFile?.names;
  if (fromFile) notes.push(`Class names come from ${fromFile.file}.`);
  const ignored = new Set(ignoreList(options.ignoreIndex));
  const listed = given && isList(given) ? given.length : undefined;
  const reduceZeroLabel =
    options.reduceZeroLabel ?? (layout === 'ade20k' && (!given || listed !== undefined));
  if (layout === 'segnet' && listed !== undefined && options.ignoreIndex === undefined && !reduceZeroLabel) {
    ignored.add(listed);
    notes.push(`The mask value ${listed}, one after the last class, is ignored as the SegNet layout has it.`);
  }
  const scanned = {
    colors,
    ignored: new Set([...ignored, 255]),
    reduceZeroLabel,
    maxPixels: options.maxPixels,
  };
  const names = given ?? (await scanClasses(Object.values(pairs).flat(), scanned));
  const table = classTable(names, { reduceZeroLabel, ignored });
  if (!given) notes.push(`No class names were found: the masks hold ${table.names.length} classes.`);
  return { classes: table.names, coding: codingOf(table, colors) };
}

function codingOf(table: ClassTable, colors: Map<number, number> | undefined): MaskCoding {
  const classes = table.names.length;
  const ignoreIndex = classes > 255 ? 65535 : 255;
  const labels = new Int32Array(65536).fill(-1);
  for (const value of [255, ...table.ignored]) labels[value] = ignoreIndex;
  for (const [value, label] of table.labelOf) labels[value] = label;
  return { classes, ignoreIndex, labels, colors };
}

function ignoreList(given: number | readonly number[] | undefined): readonly number[] {
  const values = given === undefined ? [] : typeof given === 'number' ? [given] : given;
  for (const value of values) {
    if (Number.isInteger(value) && value >= 0 && value <= 65535) continue;
    throw new OptionError({
      what: 'ignoreIndex is no mask value',
      expected: 'an integer from 0 to 65535, or a list of them',
      received: String(value),
    });
  }
  return values;
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

/** A note if the first masks hold 0 and 255 alone, which often means two classes rather than one and a void. */
async function noteBinaryMasks(
  pairs: MaskPair[],
  coding: MaskCoding,
  options: MaskFolderOptions,
): Promise<string[]> {
  if (coding.classes < 2 || coding.colors || coding.labels[255] !== coding.ignoreIndex) return [];
  const seen = new Set<number>();
  for (const { mask } of pairs.slice(0, 4)) {
    for (const value of pixelValues(await readMaskPng(mask, options.maxPixels), mask)) seen.add(value);
  }
  if (seen.size !== 2 || !seen.has(0) || !seen.has(255)) return [];
  return [
    "The first masks hold 0 and 255 alone, and 255 is ignored. If it is a class: classes: { 0: '…', 255: '…' }.",
  ];
}
