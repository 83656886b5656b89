import {
  type ClassNames,
  type ClassTable,
  classTable,
  isIgnoredName,
  isList,
  readClassNames,
} from './class-names.ts';
import { type ColorMap, parseColorMap } from './color-map.ts';
import { OptionError } from './errors.ts';
import type { LayoutName } from './layouts.ts';
import { type MaskCoding, pixelValues } from './mask-coding.ts';
import type { MaskPair } from './pairing.ts';
import { readMaskPng } from './read-mask.ts';
import { scanClasses } from './scan-classes.ts';

/** What decides on the classes of a folder of masks. */
export interface ClassOptions {
  /** Class names, instead of those of a file in the folder. */
  classes?: ClassNames;
  /** Mask values that mean "not labelled". 255 always does unless it is a class; in the SegNet layout so does the
   * value after the last class, unless this option is given. */
  ignoreIndex?: number | readonly number[];
  /** Whether value 0 is ignored and the classes start at 1, as in ADE20K. Default: true in the ADE20K layout. */
  reduceZeroLabel?: boolean;
  /** Mask value of each colour, for masks that are coded by colour, or by the colours of their palette. */
  colorMap?: ColorMap;
  /** Largest number of pixels that is decoded. */
  maxPixels?: number;
}

/**
 * Decides on class names and on the label of each mask value: from the options, else a file in the folder, else the
 * masks themselves. What was decided without being asked is added to `notes`.
 *
 * @throws ClassNamesError, OptionError, and what reading a mask throws.
 */
export async function decideClasses(
  directory: string,
  layout: LayoutName,
  pairs: readonly MaskPair[],
  options: ClassOptions,
  notes: string[],
): Promise<{ classes: string[]; coding: MaskCoding }> {
  const colors = options.colorMap && parseColorMap(options.colorMap);
  const fromFile = options.classes ? undefined : await readClassNames(directory);
  const given = options.classes ?? fromFile?.names;
  if (fromFile) notes.push(`Class names come from ${fromFile.file}.`);
  const ignored = new Set(ignoreList(options.ignoreIndex));
  const reduceZeroLabel = options.reduceZeroLabel ?? (layout === 'ade20k' && (!given || isList(given)));
  if (layout === 'segnet' && options.ignoreIndex === undefined && !reduceZeroLabel && hasNoVoid(given)) {
    ignored.add(given.length);
    notes.push(
      `The mask value ${given.length}, one after the last class, is ignored as in the SegNet layout.`,
    );
  }
  const scanned = {
    colors,
    ignored: new Set([...ignored, 255]),
    reduceZeroLabel,
    maxPixels: options.maxPixels,
  };
  const names = given ?? (await scanClasses(pairs, scanned));
  const table = classTable(names, { reduceZeroLabel, ignored });
  if (!given) notes.push(`No class names were found: the masks hold ${table.names.length} classes.`);
  const coding = codingOf(table, colors);
  notes.push(...(await noteBinaryMasks(pairs, coding, options)));
  return { classes: table.names, coding };
}

/** Whether the names are a list without a name for unlabelled pixels. */
const hasNoVoid = (names: ClassNames | undefined): names is readonly string[] =>
  names !== undefined && isList(names) && !names.some(isIgnoredName);

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

/** A note if the first masks hold 0 and 255 alone, which often means two classes rather than one and a void. */
async function noteBinaryMasks(
  pairs: readonly MaskPair[],
  coding: MaskCoding,
  options: ClassOptions,
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
