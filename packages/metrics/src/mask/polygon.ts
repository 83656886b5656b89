import { PolygonError } from '../errors.ts';
import type { Rle } from './rle.ts';
import { checkMaskSize, type Runs, rleOf, shown } from './runs.ts';
import { mergeRuns } from './runs-geometry.ts';

/**
 * The union of polygons as a mask, pixel for pixel as `pycocotools.mask.frPyObjects` and `merge` draw it.
 *
 * Corners are rounded to fifths of a pixel. An outline crosses a column of pixels at the middle of the column, and a run
 * begins or ends at the row found there, rounded up: two crossings enclose the rows between them, by the even-odd rule.
 * The work depends on the columns that an outline crosses inside the image, not on how far it reaches outside.
 *
 * @param polygons Each a flat list of corners `x y x y …` in pixels; they may leave the image. None gives an empty mask.
 * @throws PolygonError if a polygon has fewer than three corners, an odd number of coordinates, or one that is not
 * finite or beyond ±4·10⁸.
 * @throws RleError if the size is unusable.
 *
 * @example
 * ```ts
 * import { polygonsToRle, rleArea } from '@e3va/metrics';
 *
 * console.log(rleArea(polygonsToRle([[1, 1, 5, 1, 5, 4, 1, 4]], [6, 8]))); // 12
 * ```
 */
export function polygonsToRle(
  polygons: readonly (readonly number[])[],
  size: readonly [height: number, width: number],
): Rle {
  return rleOf(runsOfPolygons(polygons, size));
}

/**
 * The pixels of a box as a mask: the box's outline drawn as {@link polygonsToRle} does.
 *
 * @param box `[x, y, width, height]` in pixels.
 * @throws PolygonError if a number of the box is not finite or beyond ±4·10⁸.
 * @throws RleError if the size is unusable.
 */
export function boxToRle(
  box: readonly [x: number, y: number, width: number, height: number],
  size: readonly [height: number, width: number],
): Rle {
  const [x, y, width, height] = box;
  const [right, bottom] = [x + width, y + height];
  return polygonsToRle([[x, y, x, bottom, right, bottom, right, y]], size);
}

/** The runs of {@link polygonsToRle}. */
export function runsOfPolygons(
  polygons: readonly (readonly number[])[],
  size: readonly [height: number, width: number],
): Runs {
  checkMaskSize(size);
  const [height, width] = size;
  if (polygons.length === 0) return { height, width, lengths: Uint32Array.of(height * width) };
  for (const polygon of polygons) checkPolygon(polygon);
  return mergeRuns(
    polygons.map((polygon) => ({ height, width, lengths: runsOfPolygon(polygon, height, width) })),
    false,
  );
}

/** So that a coordinate in steps fits into 32 bits, which pycocotools has for it. */
const maxCoordinate = 4e8;

function checkPolygon(polygon: readonly number[]): void {
  if (!Array.isArray(polygon) || polygon.length < 6 || polygon.length % 2 !== 0) {
    throw new PolygonError({
      what: 'a polygon is no list of corners',
      expected: 'x y x y …: an even number of coordinates, at least 6',
      received: Array.isArray(polygon) ? `${polygon.length} coordinates` : shown(polygon),
    });
  }
  const bad = polygon.findIndex((v) => typeof v !== 'number' || !(Math.abs(v) <= maxCoordinate));
  if (bad < 0) return;
  throw new PolygonError({
    what: `coordinate ${bad} of a polygon is out of range`,
    expected: `numbers of pixels from -${maxCoordinate} to ${maxCoordinate}`,
    received: shown(polygon[bad]),
  });
}

/** Steps of a pixel that corners are rounded to. */
const steps = 5;

function runsOfPolygon(polygon: readonly number[], height: number, width: number): Uint32Array {
  const corners = polygon.map((v) => Math.trunc(steps * v + 0.5));
  const offsets: number[] = [];
  const cross = (column: number, step: number) => {
    const row = Math.ceil(Math.min(Math.max((step + 0.5) / steps - 0.5, 0), height));
    offsets.push(column * height + row);
  };
  for (let i = 0; i < corners.length; i += 2) {
    const next = (i + 2) % corners.length;
    crossColumns([corners[i]!, corners[i + 1]!], [corners[next]!, corners[next + 1]!], width, cross);
  }
  return runsBetween(Float64Array.from(offsets).sort(), height * width);
}

/**
 * Calls `cross` for each column of pixels whose middle an edge passes, with the row of the edge there; both corners and
 * the row in steps. The middle of column `c` lies between the steps `5c + 2` and `5c + 3`.
 */
function crossColumns(
  a: [x: number, y: number],
  b: [x: number, y: number],
  width: number,
  cross: (column: number, step: number) => void,
): void {
  const flat = Math.abs(b[0] - a[0]) >= Math.abs(b[1] - a[1]);
  const [start, end] = (flat ? a[0] > b[0] : a[1] > b[1]) ? [b, a] : [a, b];
  const [x, y] = start;
  const slope = flat ? (end[1] - y) / (end[0] - x) : (end[0] - x) / (end[1] - y);
  const [left, right] = [Math.min(x, end[0]), Math.max(x, end[0])];
  const first = Math.max(0, Math.ceil((left - 2) / steps));
  const last = Math.min(width - 1, Math.floor((right - 3) / steps));
  for (let column = first; column <= last; column++) {
    const before = steps * column + 2;
    if (flat) {
      const row = (at: number) => Math.trunc(y + slope * (at - x) + 0.5);
      cross(column, Math.min(row(before), row(before + 1)));
    } else {
      cross(column, y + firstBeyond(x, slope, before, end[1] - y) - 1);
    }
  }
}

/**
 * For a steep edge: the first row below its upper end at which its rounded `x` has gone from one side of
 * `before | before + 1` to the other.
 */
function firstBeyond(x: number, slope: number, before: number, rows: number): number {
  const beyond = (row: number) => {
    const at = Math.trunc(x + slope * row + 0.5);
    return slope > 0 ? at > before : at <= before;
  };
  // `before + 0.5` is where rounding changes; floating point may miss by one row, which the two loops correct.
  let row = Math.min(rows, Math.max(1, Math.ceil((before + 0.5 - x) / slope)));
  while (row < rows && !beyond(row)) row++;
  while (row > 1 && beyond(row - 1)) row--;
  return row;
}

/** Runs from the sorted offsets at which inside and outside change; equal offsets cancel. */
function runsBetween(offsets: Float64Array, pixels: number): Uint32Array {
  const lengths: number[] = [];
  let previous = 0;
  for (let i = 0; i <= offsets.length; i++) {
    const length = (offsets[i] ?? pixels) - previous;
    previous += length;
    if (length > 0 || i === 0) lengths.push(length);
    else if (i < offsets.length) {
      const next = (offsets[++i] ?? pixels) - previous;
      previous += next;
      lengths[lengths.length - 1]! += next;
    }
  }
  return Uint32Array.from(lengths);
}
