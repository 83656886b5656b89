import { mapConcurrent } from './concurrent.ts';
import { ClassNamesError } from './errors.ts';
import { pixelValues } from './mask-coding.ts';
import type { MaskPair } from './pairing.ts';
import { readMaskPng } from './read-mask.ts';

/** Most classes that a scan finds without being told. */
const mostClasses = 256;

interface ScanOptions {
  colors: ReadonlyMap<number, number> | undefined;
  ignored: ReadonlySet<number>;
  reduceZeroLabel: boolean;
  maxPixels: number | undefined;
}

/**
 * Names `class 0`, `class 1` … up to the largest value that occurs (at least two), for a data set without class names. With a colour map
 * its values count, otherwise every mask is read.
 *
 * @throws ClassNamesError if the values are too large to be class indices, or there are none.
 */
export async function scanClasses(pairs: readonly MaskPair[], options: ScanOptions): Promise<string[]> {
  const { colors, ignored, reduceZeroLabel, maxPixels } = options;
  const largest = (values: Iterable<number>) => {
    let top = -1;
    for (const v of values) if (v > top && !ignored.has(v)) top = v;
    return top;
  };
  const tops = colors
    ? [{ file: 'the colour map', top: largest(colors.values()) }]
    : await mapConcurrent(pairs, 4, async ({ mask }) => ({
        file: mask,
        top: largest(pixelValues(await readMaskPng(mask, maxPixels), mask)),
      }));
  const { file, top } = tops.reduce((a, b) => (b.top > a.top ? b : a));
  const first = reduceZeroLabel ? 1 : 0;
  if (top > first && top < mostClasses + first) {
    return Array.from({ length: top + 1 - first }, (_, i) => `class ${i + first}`);
  }
  throw new ClassNamesError({
    what: 'the number of classes cannot be told from the masks',
    expected: `values from ${first} to at most ${mostClasses + first - 1}, one for each class`,
    received:
      top <= first
        ? `no labelled value${top === first ? ` but ${top}` : ''} in any mask`
        : `the value ${top} in ${file}`,
    fix: "pass classes: a list of names, or { value: name, … } if the values have gaps (binary masks: { 0: '…', 255: '…' })",
  });
}
