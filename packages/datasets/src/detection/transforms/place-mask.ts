import { compressRle, decodeRle, type Rle } from '@e3va/metrics';
import { outlineBox } from '../outline.ts';
import { type Placement, placeBox } from './placement.ts';

/**
 * A mask where a placement puts it: each pixel takes the one that its centre comes from, as `resizeMask` does. `undefined` if nothing
 * is left. Only the pixels around the mask are looked at: images may hold many small ones.
 */
export function placeMask(mask: Rle, to: Placement): Rle | undefined {
  const [height, width] = mask.size;
  const [x1, y1, x2, y2] = placeBox(outlineBox(mask), to);
  const columns = sourcesOf([x1, x2], to.width, width, (x) => {
    return ((to.mirror ? to.width - x : x) - to.left) / to.scaleX;
  });
  const rows = sourcesOf([y1, y2], to.height, height, (y) => (y - to.top) / to.scaleY);
  const pixels = decodeRle(mask);
  const counts: number[] = []; // of the runs down the columns, outside first
  let end = 0; // of the last run inside
  for (const [x, column] of columns) {
    for (const [y, row] of rows) {
      if (pixels[row * width + column] === 0) continue;
      const at = x * to.height + y;
      if (at === end && counts.length > 0) counts[counts.length - 1]!++;
      else counts.push(at - end, 1);
      end = at + 1;
    }
  }
  if (counts.length === 0) return undefined;
  const rest = to.height * to.width - end;
  if (rest > 0) counts.push(rest);
  return compressRle({ size: [to.height, to.width], counts });
}

/** The pixels along one side of the picture that the mask may reach, each with the one that its centre comes from. */
function sourcesOf(
  [low, high]: readonly [number, number],
  length: number,
  sourceLength: number,
  sourceOf: (centre: number) => number,
): [pixel: number, source: number][] {
  const found: [number, number][] = [];
  const last = Math.min(length, Math.ceil(high) + 1); // a pixel more on each side allows for rounding
  for (let pixel = Math.max(0, Math.floor(low) - 1); pixel < last; pixel++) {
    const source = Math.floor(sourceOf(pixel + 0.5) + 1e-9);
    if (source >= 0 && source < sourceLength) found.push([pixel, source]);
  }
  return found;
}
