import { compressRle, type Rle, RleError, rleArea, rleBox, type UncompressedRle } from '@e3va/metrics';
import type { DraftObject } from './drafts.ts';
import type { Box, Segmentation } from './sample.ts';

interface ImageExtent {
  width: number;
  height: number;
}

/** How far coordinates may lie outside of the image, in pixels, before it is worth a word: they were rounded. */
export const roundingTolerance = 0.1;

/**
 * An outline that can be used, or `undefined`. Polygons with an odd count lose their last number; those with fewer than
 * three points or a number that is none are left out; those that reach beyond the image are cut at its border.
 *
 * @param warn Is told what was repaired.
 */
export function settleOutline(
  outline: DraftObject['outline'],
  size: ImageExtent,
  warn: (what: string, action: string) => void,
): Segmentation | undefined {
  if (outline === undefined) return undefined;
  if (!isPolygons(outline)) return settleMask(outline, size, warn);
  const polygons = outline
    .map((polygon) => settlePolygon(polygon, size, warn))
    .filter((polygon) => polygon !== undefined);
  return polygons.length > 0 ? polygons : undefined;
}

/** Whether an outline is polygons, not a mask. */
export const isPolygons = (
  outline: readonly (readonly number[])[] | Rle | UncompressedRle,
): outline is readonly (readonly number[])[] => Array.isArray(outline);

function settlePolygon(
  given: readonly number[],
  { width, height }: ImageExtent,
  warn: (what: string, action: string) => void,
): number[] | undefined {
  const polygon = given.length % 2 === 0 ? given : given.slice(0, -1);
  if (polygon.length < given.length) {
    warn(`a polygon has ${given.length} numbers, not x and y of each point`, 'its last number was left out');
  }
  const reason =
    polygon.length < 6
      ? `a polygon has ${polygon.length / 2} points`
      : polygon.some((v) => !Number.isFinite(v))
        ? 'a polygon has a coordinate that is no number'
        : undefined;
  if (reason !== undefined) {
    warn(reason, 'the polygon was dropped');
    return undefined;
  }
  const inside = polygon.every(
    (v, i) => v >= -roundingTolerance && v <= (i % 2 === 0 ? width : height) + roundingTolerance,
  );
  if (inside) return [...polygon];
  const clipped = clipPolygon(polygon, [0, 0, width, height]);
  if (clipped.length < 6) {
    warn('a polygon lies outside of the image', 'the polygon was dropped');
    return undefined;
  }
  warn('a polygon reaches beyond the image', 'clipped');
  return clipped;
}

function settleMask(
  mask: Rle | UncompressedRle,
  { width, height }: ImageExtent,
  warn: (what: string, action: string) => void,
): Rle | undefined {
  const [h, w] = mask.size;
  if (h !== height || w !== width) {
    warn(`the mask is of ${w}x${h} pixels, its image of ${width}x${height}`, 'the mask was dropped');
    return undefined;
  }
  try {
    const rle: Rle =
      typeof mask.counts === 'string'
        ? { size: [h, w], counts: mask.counts }
        : compressRle(mask as UncompressedRle);
    if (rleArea(rle) > 0) return rle;
    warn('the mask is empty', 'the mask was dropped');
  } catch (error) {
    if (!(error instanceof RleError)) throw error;
    warn(`the mask cannot be decoded: ${error.message.split('\n')[0]}`, 'the mask was dropped');
  }
  return undefined;
}

/**
 * The part of a polygon inside a box, by cutting it at each of the four sides in turn (Sutherland and Hodgman, 1974). A concave
 * polygon that falls into parts keeps thin bridges along the sides, which hold no pixel.
 *
 * @returns `x y …`; fewer than six numbers if nothing is left.
 */
export function clipPolygon(polygon: readonly number[], [x1, y1, x2, y2]: Box): number[] {
  let points = [...polygon];
  points = cut(points, 0, (x) => x - x1);
  points = cut(points, 0, (x) => x2 - x);
  points = cut(points, 1, (y) => y - y1);
  points = cut(points, 1, (y) => y2 - y);
  return points;
}

/** Keeps what has a distance of at least 0; `axis` says which coordinate the distance is of. */
function cut(points: readonly number[], axis: 0 | 1, distance: (v: number) => number): number[] {
  const kept: number[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const j = (i + 2) % points.length;
    const [a, b] = [distance(points[i + axis]!), distance(points[j + axis]!)];
    if (a >= 0) kept.push(points[i]!, points[i + 1]!);
    if (a >= 0 === b >= 0) continue;
    const t = a / (a - b);
    kept.push(
      points[i]! + t * (points[j]! - points[i]!),
      points[i + 1]! + t * (points[j + 1]! - points[i + 1]!),
    );
  }
  return kept;
}

/** The smallest box around an outline. */
export function outlineBox(outline: Segmentation): Box {
  if (!Array.isArray(outline)) {
    const [x, y, width, height] = rleBox(outline);
    return [x, y, x + width, y + height];
  }
  const box: Box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const polygon of outline) {
    for (let i = 0; i < polygon.length; i += 2) {
      box[0] = Math.min(box[0], polygon[i]!);
      box[1] = Math.min(box[1], polygon[i + 1]!);
      box[2] = Math.max(box[2], polygon[i]!);
      box[3] = Math.max(box[3], polygon[i + 1]!);
    }
  }
  return box;
}
