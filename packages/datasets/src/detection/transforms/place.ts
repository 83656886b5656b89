import { decodeRle, encodeRle, type Rle } from '@e3va/metrics';
import type { Box, DetectionObject, Segmentation } from '../sample.ts';

/**
 * Where a picture goes on another one: each pixel edge x to `scaleX · x + left`, or mirrored to `width − (scaleX · x + left)`; y
 * likewise, never mirrored. What lies outside the other picture is cut off.
 */
export interface Placement {
  scaleX: number;
  scaleY: number;
  left: number;
  top: number;
  mirror: boolean;
  /** Width of the other picture. */
  width: number;
  /** Height of the other picture. */
  height: number;
}

/** A placement that changes nothing, on a picture of the given size; change what is wanted. */
export function placement(
  size: { width: number; height: number },
  change: Partial<Placement> = {},
): Placement {
  const { width, height } = size;
  return { scaleX: 1, scaleY: 1, left: 0, top: 0, mirror: false, width, height, ...change };
}

/**
 * The objects where a placement puts them. Boxes are clipped; an object whose box is then narrower or lower than `least`
 * pixels is left out.
 */
export function placeObjects(
  objects: readonly DetectionObject[],
  to: Placement,
  least = 1,
): DetectionObject[] {
  return objects.flatMap((object) => {
    const box = placeBox(object.box, to);
    if (box[2] - box[0] < least || box[3] - box[1] < least) return [];
    const { segmentation, area, ...rest } = object;
    return [
      {
        ...rest,
        box,
        ...(area !== undefined && { area: area * to.scaleX * to.scaleY }),
        ...(segmentation && { segmentation: placeSegmentation(segmentation, to) }),
      },
    ];
  });
}

/** A box where a placement puts it, clipped to the other picture. */
export function placeBox([x1, y1, x2, y2]: Box, to: Placement): Box {
  const x = (v: number) => Math.min(to.width, Math.max(0, placeX(v, to)));
  const y = (v: number) => Math.min(to.height, Math.max(0, to.scaleY * v + to.top));
  return to.mirror ? [x(x2), y(y1), x(x1), y(y2)] : [x(x1), y(y1), x(x2), y(y2)];
}

function placeX(x: number, { scaleX, left, mirror, width }: Placement): number {
  const placed = scaleX * x + left;
  return mirror ? width - placed : placed;
}

/** Polygons move as coordinates and are cut when they become pixels; masks move pixel by pixel, the nearest centre. */
function placeSegmentation(segmentation: Segmentation, to: Placement): Segmentation {
  if (!Array.isArray(segmentation)) return placeMask(segmentation, to);
  return segmentation.map((polygon) =>
    polygon.map((v, i) => (i % 2 === 0 ? placeX(v, to) : to.scaleY * v + to.top)),
  );
}

function placeMask(mask: Rle, to: Placement): Rle {
  const [height, width] = mask.size;
  const source = decodeRle(mask);
  const columns = Int32Array.from({ length: to.width }, (_, x) => {
    const placed = to.mirror ? to.width - x - 0.5 : x + 0.5;
    return sourceOf((placed - to.left) / to.scaleX, width);
  });
  const out = new Uint8Array(to.height * to.width);
  for (let y = 0; y < to.height; y++) {
    const row = sourceOf((y + 0.5 - to.top) / to.scaleY, height) * width;
    if (row < 0) continue;
    for (let x = 0; x < to.width; x++) {
      const column = columns[x]!;
      if (column >= 0) out[y * to.width + x] = source[row + column]!;
    }
  }
  return encodeRle(out, [to.height, to.width]);
}

/** The pixel that a coordinate lies in; −1 for none. */
function sourceOf(coordinate: number, length: number): number {
  const pixel = Math.floor(coordinate + 1e-9);
  return pixel >= 0 && pixel < length ? pixel : -1;
}
