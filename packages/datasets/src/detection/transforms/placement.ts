import type { Box } from '../sample.ts';

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

/** A box where a placement puts it, not cut. */
export function placeBox([x1, y1, x2, y2]: Box, to: Placement): Box {
  const [a, b] = [placeX(x1, to), placeX(x2, to)];
  return [Math.min(a, b), placeY(y1, to), Math.max(a, b), placeY(y2, to)];
}

/** An x coordinate where a placement puts it, not cut. */
export function placeX(x: number, { scaleX, left, mirror, width }: Placement): number {
  const placed = scaleX * x + left;
  return mirror ? width - placed : placed;
}

/** A y coordinate where a placement puts it, not cut. */
export const placeY = (y: number, { scaleY, top }: Placement): number => scaleY * y + top;

/** What two boxes have in common; without area, maybe with edges the wrong way round, if that is nothing. */
export function sharedBox(a: Box, b: Box): Box {
  return [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];
}
