import { decodeRle, encodeRle, type Rle, rleArea } from '@e3va/metrics';
import { clipPolygon, outlineBox } from '../outline.ts';
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

/** The least width and height of a box that an object keeps, by default. */
const defaultMinSide = 1;

/**
 * The objects where a placement puts them. Boxes and outlines are cut at the border; an object that is cut gets the box of what is
 * left of its outline, if it has one. Objects whose box is then narrower or lower than `minSide` pixels, or empty, are left out.
 */
export function placeObjects(
  objects: readonly DetectionObject[],
  to: Placement,
  minSide = defaultMinSide,
): DetectionObject[] {
  return objects.map((object) => placeObject(object, to)).filter(({ box }) => isLargeBox(box, minSide));
}

function placeObject({ segmentation, area, ...rest }: DetectionObject, to: Placement): DetectionObject {
  const whole = placeBox(rest.box, to);
  const border: Box = [0, 0, to.width, to.height];
  let box = sharedBox(whole, border);
  const isCut = box.some((edge, k) => Math.abs(edge - whole[k]!) > 1e-6);
  const outline = segmentation && placeOutline(segmentation, to);
  if (isCut && segmentation) box = sharedBox(box, outline ? outlineBox(outline) : [0, 0, 0, 0]);
  return {
    ...rest,
    box,
    ...(area !== undefined && !isCut && { area: area * to.scaleX * to.scaleY }),
    ...(outline && { segmentation: outline }),
  };
}

/** A box where a placement puts it, not cut. */
function placeBox([x1, y1, x2, y2]: Box, to: Placement): Box {
  const [a, b] = [placeX(x1, to), placeX(x2, to)];
  return [Math.min(a, b), placeY(y1, to), Math.max(a, b), placeY(y2, to)];
}

function placeX(x: number, { scaleX, left, mirror, width }: Placement): number {
  const placed = scaleX * x + left;
  return mirror ? width - placed : placed;
}

const placeY = (y: number, { scaleY, top }: Placement): number => scaleY * y + top;

/** What two boxes have in common; without area, maybe with edges the wrong way round, if that is nothing. */
export function sharedBox(a: Box, b: Box): Box {
  return [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];
}

function isLargeBox([x1, y1, x2, y2]: Box, minSide: number): boolean {
  const least = Math.min(x2 - x1, y2 - y1);
  return least > 0 && least >= minSide;
}

/** Polygons move as coordinates, masks pixel by pixel. `undefined` if nothing is left. */
function placeOutline(outline: Segmentation, to: Placement): Segmentation | undefined {
  if (!Array.isArray(outline)) return placeMask(outline, to);
  const border: Box = [0, 0, to.width, to.height];
  const placed = outline
    .map((polygon) => polygon.map((v, i) => (i % 2 === 0 ? placeX(v, to) : placeY(v, to))))
    .map((polygon) => (isInside(polygon, border) ? polygon : clipPolygon(polygon, border)))
    .filter((polygon) => polygon.length >= 6);
  return placed.length > 0 ? placed : undefined;
}

function isInside(polygon: readonly number[], [x1, y1, x2, y2]: Box): boolean {
  return polygon.every((v, i) => (i % 2 === 0 ? v >= x1 && v <= x2 : v >= y1 && v <= y2));
}

/** The mask as pixels of the other picture: each takes the pixel that its centre comes from, as `resizeMask` does. */
function placeMask(mask: Rle, to: Placement): Rle | undefined {
  const [height, width] = mask.size;
  const source = decodeRle(mask);
  // Nothing is inside beyond the box of the mask; a pixel more on each side allows for rounding.
  const [x1, y1, x2, y2] = placeBox(outlineBox(mask), to);
  const [left, right] = [Math.max(0, Math.floor(x1) - 1), Math.min(to.width, Math.ceil(x2) + 1)];
  const [top, bottom] = [Math.max(0, Math.floor(y1) - 1), Math.min(to.height, Math.ceil(y2) + 1)];
  const columns = Int32Array.from({ length: Math.max(0, right - left) }, (_, i) => {
    const x = left + i;
    const placed = to.mirror ? to.width - x - 0.5 : x + 0.5;
    return sourceOf((placed - to.left) / to.scaleX, width);
  });
  const out = new Uint8Array(to.height * to.width);
  for (let y = top; y < bottom; y++) {
    const row = sourceOf((y + 0.5 - to.top) / to.scaleY, height) * width;
    if (row < 0) continue;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      if (column >= 0) out[y * to.width + left + i] = source[row + column]!;
    }
  }
  const placed = encodeRle(out, [to.height, to.width]);
  return rleArea(placed) > 0 ? placed : undefined;
}

/** The pixel that a coordinate lies in; −1 for none. */
function sourceOf(coordinate: number, length: number): number {
  const pixel = Math.floor(coordinate + 1e-9);
  return pixel >= 0 && pixel < length ? pixel : -1;
}
