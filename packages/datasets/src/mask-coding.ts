import { hexColor } from './color-map.ts';
import { ClassRangeError, MaskFormatError } from './errors.ts';
import type { PngImage } from './png/decode-png.ts';
import type { LabelMap } from './sample.ts';

/** How the stored values of a mask become labels. */
export interface MaskCoding {
  /** Number of classes; labels run from 0 to `classes - 1`. */
  classes: number;
  /** Label of the pixels that are ignored. */
  ignoreIndex: number;
  /** Label of each mask value 0..65535; -1 where the value is no class. */
  labels: Int32Array;
  /** Mask value of each 24-bit colour, if masks are coded by colour. */
  colors: ReadonlyMap<number, number> | undefined;
}

/**
 * The labels of a decoded mask.
 *
 * @param file Name for error messages.
 * @throws ClassRangeError if a pixel holds a value that is no class and is not ignored.
 * @throws MaskFormatError if the mask is RGB and there is no colour map.
 */
export function labelsOf(png: PngImage, coding: MaskCoding, file: string): LabelMap {
  const { width, height } = png;
  const source = coding.colors ? 'color' : 'value';
  const values = source === 'color' ? pixelColors(png, file) : pixelValues(png, file);
  const data = new Int32Array(width * height);
  const labels = source === 'color' ? colorLabels(coding) : (value: number) => coding.labels[value]!;
  let last = -1;
  let label = 0;
  let bad = -1;
  for (let i = 0; i < data.length; i++) {
    const value = values[i]!;
    if (value !== last) {
      label = labels(value);
      last = value;
      if (label < 0) {
        bad = i;
        break;
      }
    }
    data[i] = label;
  }
  if (bad >= 0) throw rangeError(values, bad, labels, width, coding, file);
  return { width, height, data };
}

/** The mask value of each pixel, before any mapping: grey level or palette index. Errors as {@link labelsOf}. */
export function pixelValues(png: PngImage, file: string): Uint8Array | Uint16Array {
  if (png.channels >= 3) throw rgbError(png, file);
  return png.channels === 1 ? png.data : png.data.filter((_, i) => i % 2 === 0); // alpha is no class
}

function colorLabels({ colors, labels }: MaskCoding): (color: number) => number {
  return (color) => {
    const value = colors!.get(color);
    return value === undefined ? -1 : labels[value]!;
  };
}

/** The 24-bit colour of each pixel. Grey counts as r = g = b, a palette index as its colour. */
function pixelColors(png: PngImage, file: string): Uint32Array {
  const { channels, bitDepth, data, palette, colorType } = png;
  if (bitDepth === 16) {
    throw new MaskFormatError({
      what: `${file} has 16 bits a sample, so a colour map of 8-bit colours does not apply`,
      fix:
        channels < 3
          ? 'leave the colour map out: the grey value is the class'
          : 'save it with 8 bits a sample',
    });
  }
  const colors = new Uint32Array(png.width * png.height);
  const scale = 255 / ((1 << bitDepth) - 1);
  for (let i = 0, at = 0; i < colors.length; i++, at += channels) {
    const v = data[at]!;
    if (colorType === 3) colors[i] = paletteColor(palette, v);
    else if (channels >= 3) colors[i] = (v << 16) | (data[at + 1]! << 8) | data[at + 2]!;
    else colors[i] = v * scale * 0x010101;
  }
  return colors;
}

/** The colour of a palette entry; no colour at all (more than 24 bits) where the palette ends before it. */
function paletteColor(palette: Uint8Array, index: number): number {
  const [r, g, b] = palette.subarray(3 * index, 3 * index + 3);
  return b === undefined ? 0xffffffff : (r! << 16) | (g! << 8) | b;
}

function rgbError(png: PngImage, file: string): MaskFormatError {
  const found: string[] = [];
  if (png.bitDepth === 8) {
    const counts = new Map<number, number>();
    for (const color of pixelColors(png, file)) counts.set(color, (counts.get(color) ?? 0) + 1);
    const common = [...counts].sort((a, b) => b[1] - a[1]);
    found.push(...common.slice(0, 8).map(([color]) => hexColor(color)));
    if (common.length > 8) found.push(`and ${common.length - 8} more`);
  }
  return new MaskFormatError({
    what: `${file} is an RGB image, so its values are colours, not classes`,
    expected: 'a grey or palette PNG, or a colour map',
    received: found.length > 0 ? `the colours ${found.join(', ')}` : '16 bits a sample',
    fix: `pass colorMap, for example { '${found[0] ?? '#000000'}': 0, … }`,
  });
}

function rangeError(
  values: ArrayLike<number>,
  first: number,
  labels: (value: number) => number,
  width: number,
  { classes, colors }: MaskCoding,
  file: string,
): ClassRangeError {
  const name = (v: number) => (colors ? hexColor(v) : v);
  const value = values[first]!;
  let pixels = 0;
  const others = new Set<number>();
  for (let i = first; i < values.length; i++) {
    if (values[i] === value) pixels++;
    else if (others.size < 6 && labels(values[i]!) < 0) others.add(values[i]!);
  }
  const [row, column] = [Math.floor(first / width), first % width];
  const more = [...others].slice(0, 5).map(name).join(', ') + (others.size > 5 ? ', …' : '');
  const place = `in ${pixels} of ${values.length} pixels, first at row ${row}, column ${column}`;
  return new ClassRangeError(
    {
      what: `${file} holds ${colors ? 'the colour' : 'the value'} ${name(value)}, which is no class`,
      expected: colors
        ? `one of the ${colors.size} colours of the colour map, each with the value of a class`
        : `a value of one of the ${classes} classes, or one that is ignored`,
      received: `${name(value)} ${place}${more ? `; also ${more}` : ''}`,
      fix: colors ? `add '${name(value)}' to colorMap` : valueFix(value, classes),
    },
    { file, value: name(value), pixels, row, column },
  );
}

function valueFix(value: number, classes: number): string {
  const ways = [`ignoreIndex: ${value} if it marks unlabelled pixels`];
  if (value === classes) ways.push('reduceZeroLabel: true if 0 means unlabelled and classes start at 1');
  ways.push('classes: { value: name, … } if the values are ids with gaps');
  ways.push('colorMap if the palette or the grey level, not the index, names the class');
  return `pass ${ways.join('; ')}`;
}
