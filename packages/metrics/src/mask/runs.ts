import { RleError } from '../errors.ts';
import type { Rle, UncompressedRle } from './rle.ts';

/**
 * The most pixels that a mask may have: as much memory as one decoded mask may take, in bytes. Sizes above it are refused
 * before anything is allocated.
 */
const maxMaskPixels = 2 ** 27;

/** A mask as lengths of runs down the columns, outside first. They add up to `height * width`. */
export interface Runs {
  height: number;
  width: number;
  lengths: Uint32Array;
}

/**
 * Refuses a size that is no pair of non-negative integers or holds too many pixels.
 *
 * @throws RleError
 */
export function checkMaskSize(size: readonly number[]): void {
  const [height, width] = Array.isArray(size) ? size : [];
  const counts = size?.length === 2 && [height, width].every((side) => Number.isInteger(side) && side! >= 0);
  if (counts && height! * width! <= maxMaskPixels) return;
  throw new RleError({
    what: 'a mask needs a size that can be held',
    expected: `[height, width], two integers of at most ${maxMaskPixels} pixels together`,
    received: shown(size),
  });
}

/**
 * The runs of a mask in either form.
 *
 * @throws RleError if the size is unusable, a count is no whole number, or the counts do not cover the mask exactly.
 */
export function runsOf(rle: Rle | UncompressedRle): Runs {
  if (typeof rle !== 'object' || rle === null) {
    throw new RleError({
      what: 'no run-length mask',
      expected: 'an object { size, counts }',
      received: shown(rle),
    });
  }
  checkMaskSize(rle.size);
  const [height, width] = rle.size;
  const { counts } = rle;
  if (typeof counts !== 'string' && !Array.isArray(counts)) {
    throw new RleError({
      what: 'the counts of a run-length mask have an unknown form',
      expected: 'a compressed string, or an array of numbers',
      received: shown(counts),
    });
  }
  const lengths = typeof counts === 'string' ? parseCounts(counts) : checkedCounts(counts);
  checkSum(lengths, height, width);
  return { height, width, lengths };
}

/** A mask with its runs in COCO's compressed string. */
export function rleOf({ height, width, lengths }: Runs): Rle {
  return { size: [height, width], counts: countsString(lengths) };
}

/**
 * COCO's string of runs: each run from the fourth on less the run two before it, as a signed number in groups of five
 * bits, the lowest first; bit 5 of a character says that more follow, 48 is added to make it printable.
 */
function countsString(lengths: Uint32Array): string {
  let out = '';
  for (let i = 0; i < lengths.length; i++) {
    let rest = lengths[i]! - (i > 2 ? lengths[i - 2]! : 0);
    for (let more = true; more; ) {
      const bits = rest & 31;
      rest >>= 5;
      more = bits & 16 ? rest !== -1 : rest !== 0;
      out += String.fromCharCode(48 + bits + (more ? 32 : 0));
    }
  }
  return out;
}

function parseCounts(counts: string): Uint32Array {
  const lengths = new Uint32Array(counts.length);
  let runs = 0;
  for (let at = 0; at < counts.length; runs++) {
    let value = 0;
    let shift = 0;
    for (let more = true; more; shift += 5) {
      // Past the end charCodeAt is NaN, which `>>> 0` turns into 0 and the comparison below refuses with the rest.
      const group = counts.charCodeAt(at++) - 48;
      if (!(group >= 0 && group < 64) || shift > 25) throw badCounts(counts, at - 1);
      value |= (group & 31) << shift;
      more = (group & 32) !== 0;
      if (!more && group & 16) value |= -1 << (shift + 5);
    }
    const length = value + (runs > 2 ? lengths[runs - 2]! : 0);
    if (length < 0 || length > maxMaskPixels) throw badCounts(counts, at - 1);
    lengths[runs] = length;
  }
  return lengths.slice(0, runs);
}

function badCounts(counts: string, at: number): RleError {
  return new RleError({
    what: `the counts of a run-length mask are damaged at character ${at}`,
    expected: 'a string of COCO run lengths',
    received: at < counts.length ? shown(counts[at]) : 'the end of the string inside a number',
  });
}

function checkedCounts(counts: readonly number[]): Uint32Array {
  const bad = counts.findIndex((n) => !(Number.isInteger(n) && n >= 0 && n <= maxMaskPixels));
  if (bad < 0) return Uint32Array.from(counts);
  throw new RleError({
    what: `run ${bad} of a run-length mask has no usable length`,
    expected: 'non-negative integers',
    received: shown(counts[bad]),
  });
}

function checkSum(lengths: Uint32Array, height: number, width: number): void {
  let sum = 0;
  for (const length of lengths) sum += length;
  if (sum === height * width) return;
  throw new RleError({
    what: 'the runs of a mask do not add up to its size',
    expected: `${height} × ${width} = ${height * width} pixels`,
    received: `${sum}`,
    fix: 'check that the size is [height, width] and that the counts are of this image',
  });
}

/** A value for an error message: short, whatever it is. */
export function shown(value: unknown): string {
  const text = textOf(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** More of a value than is shown, however long or deep it is; an object is not asked for its own text. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value !== 'object' || value === null) return String(value);
  if (!Array.isArray(value)) return 'an object';
  return `[${value
    .slice(0, 60)
    .map((item) => (Array.isArray(item) ? '[…]' : textOf(item)))
    .join(',')}]`;
}
