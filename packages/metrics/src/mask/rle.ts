import { LengthMismatchError, RleError } from '../errors.ts';
import { checkMaskSize, type Runs, rleOf, runsOf, shown } from './runs.ts';
import { areaOfRuns, boxOfRuns, iouOfRuns, measureRuns, mergeRuns } from './runs-geometry.ts';

/** A binary mask as COCO's compressed run lengths, the form of result files and of most tools. */
export interface Rle {
  /** Height and width in pixels. */
  size: [height: number, width: number];
  /** Lengths of the runs down the columns, outside first, in COCO's string of characters. */
  counts: string;
}

/** A binary mask as plain run lengths, the form of crowd regions in COCO's annotation files. */
export interface UncompressedRle {
  /** Height and width in pixels. */
  size: [height: number, width: number];
  /** Lengths of the runs down the columns, outside first. */
  counts: number[];
}

/**
 * The run lengths of a mask, equal to `pycocotools.mask.encode`.
 *
 * @param mask One value a pixel, row by row from the top left; any other than zero is inside.
 * @throws RleError if the size is unusable or the mask has another number of pixels.
 *
 * @example
 * ```ts
 * import { decodeRle, encodeRle, rleArea } from '@e3va/metrics';
 *
 * const rle = encodeRle([0, 1, 1, 0, 1, 0], [2, 3]);
 * console.log(rle, rleArea(rle)); // { size: [ 2, 3 ], counts: '231' } 3
 * console.log(decodeRle(rle)); // the mask again
 * ```
 */
export function encodeRle(mask: ArrayLike<number>, size: readonly [height: number, width: number]): Rle {
  checkMaskSize(size);
  const [height, width] = size;
  if (mask.length !== height * width) {
    throw new RleError({
      what: 'a mask does not have the pixels of its size',
      expected: `${height} × ${width} = ${height * width} values`,
      received: `${mask.length}`,
    });
  }
  return rleOf({ height, width, lengths: runsOfPixels(mask, height, width) });
}

function runsOfPixels(mask: ArrayLike<number>, height: number, width: number): Uint32Array {
  const lengths: number[] = [];
  let inside = false;
  let length = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0, at = x; y < height; y++, at += width) {
      if ((mask[at] !== 0) === inside) length++;
      else {
        lengths.push(length);
        inside = !inside;
        length = 1;
      }
    }
  }
  lengths.push(length);
  return Uint32Array.from(lengths);
}

/**
 * The pixels of a mask: 1 inside, 0 outside, row by row from the top left.
 *
 * @throws RleError if the mask is malformed, or larger than 2²⁷ pixels.
 */
export function decodeRle(rle: Rle | UncompressedRle): Uint8Array {
  const { height, width, lengths } = runsOf(rle);
  const mask = new Uint8Array(height * width);
  for (let i = 1, start = lengths[0] ?? 0; i < lengths.length; i += 2) {
    let x = Math.floor(start / height);
    let y = start % height;
    for (let n = lengths[i]!; n > 0; n--) {
      mask[y * width + x] = 1;
      if (++y === height) {
        y = 0;
        x++;
      }
    }
    start += lengths[i]! + (lengths[i + 1] ?? 0);
  }
  return mask;
}

/**
 * The same mask with its runs as COCO's compressed string.
 *
 * @throws RleError if the mask is malformed.
 */
export function compressRle(rle: UncompressedRle): Rle {
  return rleOf(runsOf(rle));
}

/**
 * The number of pixels inside.
 *
 * @throws RleError if the mask is malformed.
 */
export function rleArea(rle: Rle | UncompressedRle): number {
  return areaOfRuns(runsOf(rle));
}

/**
 * The smallest box around the mask as `[x, y, width, height]` in pixels, zeros where nothing is inside. A mask of columns
 * `a..b` has the width `b - a + 1`, as with `pycocotools.mask.toBbox`.
 *
 * @throws RleError if the mask is malformed.
 */
export function rleBox(rle: Rle | UncompressedRle): [x: number, y: number, width: number, height: number] {
  return boxOfRuns(runsOf(rle));
}

/**
 * The union of masks of one size, or their intersection.
 *
 * @throws RleError if there is none, one is malformed, or the sizes differ.
 */
export function mergeRles(
  rles: readonly (Rle | UncompressedRle)[],
  options: { intersect?: boolean } = {},
): Rle {
  const runs = rles.map(runsOf);
  const [first] = runs;
  if (first === undefined) {
    throw new RleError({ what: 'there is no mask to merge', expected: 'at least one', received: 'none' });
  }
  checkOneSize(runs);
  return rleOf(mergeRuns(runs, options.intersect ?? false));
}

/**
 * Intersection over union of each detected mask with each true one, row-major `[detections, truths]`. For a true mask
 * that is a crowd the intersection is divided by the area of the detection alone. Equal to `pycocotools.mask.iou`.
 *
 * @param crowd For each true mask whether it is a crowd region; none is if it is left out.
 * @throws RleError if a mask is malformed or the sizes differ.
 * @throws LengthMismatchError if `crowd` has another length than the true masks.
 */
export function rleIou(
  detections: readonly (Rle | UncompressedRle)[],
  truths: readonly (Rle | UncompressedRle)[],
  crowd?: ArrayLike<number | boolean>,
): Float64Array {
  if (crowd !== undefined && crowd.length !== truths.length) {
    throw new LengthMismatchError({
      what: 'crowd flags and true masks differ in number',
      expected: `${truths.length} flags`,
      received: `${crowd.length}`,
    });
  }
  const ds = detections.map((rle) => measureRuns(runsOf(rle)));
  const ts = truths.map((rle) => measureRuns(runsOf(rle)));
  checkOneSize([...ds, ...ts]);
  return Float64Array.from(ds.flatMap((d) => ts.map((t, j) => iouOfRuns(d, t, Boolean(crowd?.[j])))));
}

function checkOneSize(runs: readonly Runs[]): void {
  const [first] = runs;
  const other = runs.find((r) => r.height !== first!.height || r.width !== first!.width);
  if (other === undefined) return;
  throw new RleError({
    what: 'masks of different sizes cannot be compared',
    expected: `${shown([first!.height, first!.width])}, the size of the first`,
    received: shown([other.height, other.width]),
  });
}
